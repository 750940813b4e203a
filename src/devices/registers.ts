/**
 * A block of device registers declared as a table: where each lies, how wide it is, and what reading and writing it does
 * beyond keeping the value. Narrower accesses reach a part of a register, wider ones several; an offset no register covers
 * is a hole that reads as zero and is reported, unless the block has an answer for unknown registers.
 */
import type { AccessSize } from '../kernel/hardware.ts';

/** One register. `D` is what its hooks work on. */
export interface Register<D> {
  /** Bytes from the start of the block. */
  readonly at: number;
  /** Bytes; 4 by default. */
  readonly size?: 1 | 2 | 4;
  /** Value at start and after a reset; 0 by default. */
  readonly reset?: number;
  /** A write changes nothing. */
  readonly readOnly?: boolean;
  /** What a read gives, in place of the kept value. */
  read?(device: D): number;
  /** What a write does, in place of keeping the value. */
  write?(device: D, value: number): void;
}

/** Answers for every offset that no register of the table covers, a part of up to four bytes at a time. */
export interface UnknownRegisters<D> {
  read(device: D, offset: number, size: number): number;
  write(device: D, offset: number, size: number, value: number): void;
}

export type RegisterTable<D> = Readonly<Record<string, Register<D>>>;

interface Entry<D> {
  readonly name: string;
  readonly register: Register<D>;
  readonly size: number;
}

export class RegisterBlock<D> {
  private readonly values: Record<string, number>;
  private readonly entries: Entry<D>[];
  private readonly device: D;
  private readonly hole: (offset: number, access: 'read' | 'write') => void;
  private readonly unknown: UnknownRegisters<D> | undefined;

  /** @param values where the kept values lie, by name: all blocks of a device may share one record */
  constructor(
    table: RegisterTable<D>,
    values: Record<string, number>,
    device: D,
    hole: (offset: number, access: 'read' | 'write') => void,
    unknown?: UnknownRegisters<D>,
  ) {
    this.unknown = unknown;
    this.values = values;
    this.entries = Object.entries(table).map(([name, register]) => ({ name, register, size: register.size ?? 4 }));
    this.device = device;
    this.hole = hole;
    this.reset();
  }

  /** Sets registers back to their `reset` values: those named, or all. */
  reset(names: readonly string[] = []): void {
    for (const { name, register } of this.entries) {
      if (names.length === 0 || names.includes(name)) this.values[name] = register.reset ?? 0;
    }
  }

  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let done = 0; done < size; ) {
      const entry = this.at(offset + done);
      if (entry === undefined) this.hole(offset + done, 'read');
      const skip = entry === undefined ? 0 : offset + done - entry.register.at;
      const take = entry === undefined ? Math.min(size - done, 4) : Math.min(size - done, entry.size - skip);
      if (entry === undefined && this.unknown !== undefined) {
        value += this.unknown.read(this.device, offset + done, take) * 2 ** (8 * done);
      }
      if (entry !== undefined) {
        const whole = entry.register.read?.(this.device) ?? (this.values[entry.name] as number);
        value += (Math.floor((whole >>> 0) / 2 ** (8 * skip)) % 2 ** (8 * take)) * 2 ** (8 * done);
      }
      done += take;
    }
    return value;
  }

  write(offset: number, size: AccessSize, value: number): void {
    for (let done = 0; done < size; ) {
      const entry = this.at(offset + done);
      if (entry === undefined) this.hole(offset + done, 'write');
      const skip = entry === undefined ? 0 : offset + done - entry.register.at;
      const take = entry === undefined ? Math.min(size - done, 4) : Math.min(size - done, entry.size - skip);
      const part = Math.floor(value / 2 ** (8 * done)) % 2 ** (8 * take);
      if (entry !== undefined) this.store(entry, skip, take, part);
      else this.unknown?.write(this.device, offset + done, take, part);
      done += take;
    }
  }

  /** A write of some bytes of a register leaves its others as they are. */
  private store({ name, register, size }: Entry<D>, skip: number, take: number, part: number): void {
    if (register.readOnly) return;
    const kept = this.values[name] as number;
    const unit = 2 ** (8 * skip);
    const old = Math.floor(kept / unit) % 2 ** (8 * take);
    const whole = take === size ? part : kept + (part - old) * unit;
    if (register.write === undefined) this.values[name] = whole;
    else register.write(this.device, whole);
  }

  private at(offset: number): Entry<D> | undefined {
    return this.entries.find(({ register, size }) => offset >= register.at && offset < register.at + size);
  }
}
