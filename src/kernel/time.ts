/**
 * Clocks a driver may read, stalling, and calendar times. All of them show virtual time; the machine never sleeps, so biased
 * and unbiased times agree; local time is UTC. Pages: wdm-kequeryinterrupttime, wdm-kequeryperformancecounter,
 * wdm-kestallexecutionprocessor, wdm-rtltimetotimefields, …
 */

import { NULL } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { struct, u16, u32, u64, type View } from './layout.ts';
import { A, ANY, BOOLEAN, functionsOf, IN, OUT, POINTER, ULONG, ULONG64 } from './record.ts';
import { SPINNING } from './scheduler.ts';
import { TICK } from './shared-user-data.ts';
import { Status } from './status.ts';

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
const MILLISECONDS_A_DAY = 86_400_000;
/** 1601-01-01 was a Monday. */
const FIRST_WEEKDAY = 1;

const isLeap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const daysIn = (year: number, month: number) =>
  month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
/** Days from 1601-01-01 to the first of a year. */
function daysBefore(year: number): number {
  const past = year - 1601;
  return 365 * past + Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400);
}

/** 100 ns since 1601 as a date and a time of day. */
function calendar(time: bigint) {
  const milliseconds = Number(time / 10_000n);
  const days = Math.floor(milliseconds / MILLISECONDS_A_DAY);
  const rest = milliseconds % MILLISECONDS_A_DAY;
  let Year = 1601 + Math.floor(days / 365.2425);
  if (daysBefore(Year) > days) Year--;
  else if (daysBefore(Year + 1) <= days) Year++;
  let day = days - daysBefore(Year);
  let Month = 1;
  while (day >= daysIn(Year, Month)) day -= daysIn(Year, Month++);
  return {
    Year,
    Month,
    Day: day + 1,
    Hour: Math.floor(rest / 3_600_000),
    Minute: Math.floor(rest / 60_000) % 60,
    Second: Math.floor(rest / 1000) % 60,
    Milliseconds: rest % 1000,
    Weekday: (days + FIRST_WEEKDAY) % 7,
  };
}

/** … and back; undefined for a date or time that does not exist. */
function timeOf(t: View<typeof TIME_FIELDS.fields>): bigint | undefined {
  const dated = t.Year >= 1601 && t.Month >= 1 && t.Month <= 12 && t.Day >= 1 && t.Day <= daysIn(t.Year, t.Month);
  if (!dated || t.Hour > 23 || t.Minute > 59 || t.Second > 59 || t.Milliseconds > 999) return undefined;
  let days = daysBefore(t.Year) + t.Day - 1;
  for (let month = 1; month < t.Month; month++) days += daysIn(t.Year, month);
  const seconds = (t.Hour * 60 + t.Minute) * 60 + t.Second;
  return BigInt(days * MILLISECONDS_A_DAY + seconds * 1000 + t.Milliseconds) * 10_000n;
}

/** The finest clock of a usual machine, in 100 ns (observed; the pages say about a millisecond). */
const SHORTEST_TICK = 5000;

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

const convertingCounter = (page: string) =>
  f({
    ...common,
    page,
    params: { CounterValue: ULONG64, ConvertedValue: POINTER, ConversionError: POINTER },
    returns: 'status',
    body: () => Status.NOT_SUPPORTED,
  });

export const timeFunctions = {
  KeQueryInterruptTime: interruptTime('wdm-kequeryinterrupttime'),
  KeQueryUnbiasedInterruptTime: interruptTime('wdm-kequeryunbiasedinterrupttime'),
  KeQueryInterruptTimePrecise: preciseTime('wdm-kequeryinterrupttimeprecise'),
  KeQueryUnbiasedInterruptTimePrecise: preciseTime('wdm-kequeryunbiasedinterrupttime'),
  KeQuerySystemTime: systemTime('wdm-kequerysystemtime~r1'),
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
  /** Virtual time has no ticks to make shorter: the answer is what Windows would say, and timers come when they are due anyway. */
  ExSetTimerResolution: f({
    module: common.module,
    page: 'wdm-exsettimerresolution',
    params: { DesiredTime: ULONG, SetResolution: BOOLEAN },
    returns: 'u32',
    irql: A,
    body: (_, { DesiredTime, SetResolution }) =>
      SetResolution ? Math.min(Math.max(DesiredTime, SHORTEST_TICK), TICK) : TICK,
  }),
  ExQueryTimerResolution: f({
    ...common,
    page: 'wdm-exquerytimerresolution',
    params: { MaximumTime: OUT(u32), MinimumTime: OUT(u32), CurrentTime: OUT(u32) },
    returns: 'void',
    body(_, { MaximumTime, MinimumTime, CurrentTime }) {
      MaximumTime.set(TICK);
      MinimumTime.set(SHORTEST_TICK);
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
  /** This machine has no auxiliary counter, as most have none. */
  KeConvertAuxiliaryCounterToPerformanceCounter: convertingCounter('wdm-keconvertauxiliarycountertoperformancecounter'),
  KeConvertPerformanceCounterToAuxiliaryCounter: convertingCounter('wdm-keconvertperformancecountertoauxiliarycounter'),
  KeQueryAuxiliaryCounterFrequency: f({
    ...common,
    page: 'wdm-kequeryauxiliarycounterfrequency',
    params: { AuxiliaryCounterFrequency: POINTER },
    returns: 'status',
    body: () => Status.NOT_SUPPORTED,
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
      TIME_FIELDS.write(memory, TimeFields, calendar(memory.readU64(Time)));
      return undefined;
    },
  }),
  RtlTimeFieldsToTime: f({
    ...common,
    page: 'wdm-rtltimefieldstotime',
    params: { TimeFields: IN(TIME_FIELDS), Time: POINTER },
    returns: 'bool',
    body({ memory }, { TimeFields: t, Time }) {
      const time = timeOf(t);
      if (time === undefined) return false;
      memory.writeU64(Time, time);
      return true;
    },
  }),
};
