/**
 * Clocks a driver may read, stalling, and calendar times. All of them show virtual time; the machine never sleeps, so biased
 * and unbiased times agree; local time is UTC. Pages: wdm-kequeryinterrupttime, wdm-kequeryperformancecounter,
 * wdm-kestallexecutionprocessor, wdm-rtltimetotimefields, …
 */

import { NULL } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { struct, u16, u32, u64 } from './layout.ts';
import { ANY, functionsOf, IN, OUT, POINTER, ULONG } from './record.ts';
import { SPINNING } from './scheduler.ts';
import { TICK } from './shared-user-data.ts';

export const TIME_FIELDS = struct('TIME_FIELDS', {
  Year: u16,
  Month: u16,
  Day: u16,
  Hour: u16,
  Minute: u16,
  Second: u16,
  Milliseconds: u16,
  Weekday: u16,
});

/** Ticks a second of KeQueryPerformanceCounter on Windows 10 (observed). */
const FREQUENCY = 10_000_000n;
/** 100 ns from 1601 to 1970. */
const EPOCH = 116_444_736_000_000_000n;

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: ANY } as const;
const now = ({ clock }: Kernel) => BigInt(Math.floor(clock.now));

const interruptTime = (page: string) =>
  f({ ...common, page, params: {}, returns: 'u64', body: (kernel) => now(kernel) });
const preciseTime = (page: string) =>
  f({
    ...common,
    page,
    params: { QpcTimeStamp: OUT(u64) },
    returns: 'u64',
    body(kernel, { QpcTimeStamp }) {
      QpcTimeStamp.set(now(kernel));
      return now(kernel);
    },
  });
const systemTime = (page: string) =>
  f({
    ...common,
    page,
    params: { CurrentTime: OUT(u64) },
    returns: 'void',
    body({ clock }, { CurrentTime }) {
      CurrentTime.set(clock.systemTime);
      return undefined;
    },
  });
const sameTime = (page: string) =>
  f({
    ...common,
    page,
    params: { From: POINTER, To: POINTER },
    returns: 'void',
    body({ memory }, { From, To }) {
      memory.writeU64(To, memory.readU64(From));
      return undefined;
    },
  });

export const timeFunctions = {
  KeQueryInterruptTime: interruptTime('wdm-kequeryinterrupttime'),
  KeQueryUnbiasedInterruptTime: interruptTime('wdm-kequeryunbiasedinterrupttime'),
  KeQueryInterruptTimePrecise: preciseTime('wdm-kequeryinterrupttimeprecise'),
  KeQueryUnbiasedInterruptTimePrecise: preciseTime('wdm-kequeryunbiasedinterrupttimeprecise'),
  KeQuerySystemTime: systemTime('wdm-kequerysystemtime-r1'),
  KeQuerySystemTimePrecise: systemTime('wdm-kequerysystemtimeprecise'),
  KeQueryTickCount: f({
    ...common,
    page: 'wdm-kequerytickcount',
    params: { CurrentCount: OUT(u64) },
    returns: 'void',
    body({ clock }, { CurrentCount }) {
      CurrentCount.set(BigInt(Math.floor(clock.now / TICK)));
      return undefined;
    },
  }),
  KeQueryTimeIncrement: f({
    ...common,
    page: 'wdm-kequerytimeincrement',
    params: {},
    returns: 'u32',
    body: () => TICK,
  }),
  ExQueryTimerResolution: f({
    ...common,
    page: 'wdm-exquerytimerresolution',
    params: { MaximumTime: OUT(u32), MinimumTime: OUT(u32), CurrentTime: OUT(u32) },
    returns: 'void',
    body(_, { MaximumTime, MinimumTime, CurrentTime }) {
      MaximumTime.set(TICK);
      MinimumTime.set(5000);
      CurrentTime.set(TICK);
      return undefined;
    },
  }),
  KeQueryPerformanceCounter: f({
    ...common,
    page: 'ntifs-kequeryperformancecounter',
    params: { PerformanceFrequency: POINTER },
    returns: 'u64',
    body(kernel, { PerformanceFrequency }) {
      if (PerformanceFrequency !== NULL) kernel.memory.writeU64(PerformanceFrequency, FREQUENCY);
      return now(kernel);
    },
  }),
  KeStallExecutionProcessor: f({
    module: 'HAL.dll',
    page: 'wdm-kestallexecutionprocessor',
    irql: ANY,
    params: { MicroSeconds: ULONG },
    returns: 'void',
    *body({ clock }, { MicroSeconds }) {
      clock.advance(10 * MicroSeconds);
      yield SPINNING;
      return undefined;
    },
  }),
  ExSystemTimeToLocalTime: sameTime('wdm-exsystemtimetolocaltime'),
  ExLocalTimeToSystemTime: sameTime('wdm-exlocaltimetosystemtime'),
  RtlTimeToTimeFields: f({
    ...common,
    page: 'wdm-rtltimetotimefields',
    params: { Time: POINTER, TimeFields: POINTER },
    returns: 'void',
    body({ memory }, { Time, TimeFields }) {
      const date = new Date(Number((memory.readU64(Time) - EPOCH) / 10_000n));
      TIME_FIELDS.write(memory, TimeFields, {
        Year: date.getUTCFullYear(),
        Month: date.getUTCMonth() + 1,
        Day: date.getUTCDate(),
        Hour: date.getUTCHours(),
        Minute: date.getUTCMinutes(),
        Second: date.getUTCSeconds(),
        Milliseconds: date.getUTCMilliseconds(),
        Weekday: date.getUTCDay(),
      });
      return undefined;
    },
  }),
  RtlTimeFieldsToTime: f({
    ...common,
    page: 'wdm-rtltimefieldstotime',
    params: { TimeFields: IN(TIME_FIELDS), Time: POINTER },
    returns: 'bool',
    body({ memory }, { TimeFields: t, Time }) {
      const date = Date.UTC(t.Year, t.Month - 1, t.Day, t.Hour, t.Minute, t.Second, t.Milliseconds);
      const back = new Date(date);
      if (t.Year < 1601 || back.getUTCMonth() + 1 !== t.Month || back.getUTCDate() !== t.Day || t.Hour > 23)
        return false;
      memory.writeU64(Time, BigInt(date) * 10_000n + EPOCH);
      return true;
    },
  }),
};
