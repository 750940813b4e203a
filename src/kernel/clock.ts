/**
 * Virtual time. It moves when guest instructions retire and calls are made, when a wait has nothing else to do, and by
 * explicit stalls; never by the host's clock. Alarms ring in order of due time, then of setting.
 */
import type { VirtualTime } from '../trace/units.ts';

export interface Alarm {
  readonly due: VirtualTime;
  readonly order: number;
  readonly ring: () => void;
}

/** 2026-01-01 00:00 UTC as Windows counts it: 100 ns since 1601-01-01. What the system time reads at boot (assumed). */
const BOOT_SYSTEM_TIME = 134_116_992_000_000_000n;

export class Clock {
  /** Counts changes of the alarms. */
  changes = 0;
  private current = 0;
  private orders = 0;
  /** Sorted by (due, order). */
  private alarms: Alarm[] = [];

  get now(): VirtualTime {
    return this.current as VirtualTime;
  }

  /** 100 ns since 1601, as KeQuerySystemTime gives it. */
  get systemTime(): bigint {
    return BOOT_SYSTEM_TIME + BigInt(Math.floor(this.current));
  }

  /** The moment that a due time names, as kernel calls give it: negative is from now, else absolute since 1601. */
  dueAt(dueTime: number): VirtualTime {
    const from = dueTime < 0 ? this.current - dueTime : Number(BigInt(dueTime) - BOOT_SYSTEM_TIME);
    return Math.max(0, from) as VirtualTime;
  }

  advance(by: number): void {
    this.current += by;
  }

  set(due: VirtualTime, ring: () => void): Alarm {
    const alarm: Alarm = { due, order: this.orders++, ring };
    this.changes++;
    const at = this.alarms.findIndex((other) => other.due > due);
    if (at < 0) this.alarms.push(alarm);
    else this.alarms.splice(at, 0, alarm);
    return alarm;
  }

  /** True when the alarm had not rung yet. */
  cancel(alarm: Alarm): boolean {
    const at = this.alarms.indexOf(alarm);
    if (at < 0) return false;
    this.alarms.splice(at, 1);
    this.changes++;
    return true;
  }

  /** Rings what is due; the bells may set new alarms. */
  ringDue(): void {
    for (let next = this.alarms[0]; next !== undefined && next.due <= this.current; next = this.alarms[0]) {
      this.alarms.shift();
      this.changes++;
      next.ring();
    }
  }

  get nextDue(): VirtualTime | undefined {
    return this.alarms[0]?.due;
  }

  /** Moves to `due` if that is later: everyone waits, so time passes at once. */
  skipTo(due: VirtualTime): void {
    if (due > this.current) this.current = due;
  }
}
