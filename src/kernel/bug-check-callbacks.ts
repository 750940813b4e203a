/**
 * Routines the system calls when it crashes, at HIGH_LEVEL with every other processor frozen. A record lies in the driver's
 * memory and is its own name. No dump is written here, so of the reasons only that for secondary data is asked for; the
 * others would shape the dump.
 * Pages: wdm-keregisterbugcheckcallback, wdm-keregisterbugcheckreasoncallback, nc-wdm-kbugcheck_callback_routine,
 * nc-wdm-kbugcheck_reason_callback_routine, kernel/writing-a-bug-check-callback-routine.
 */
import { type Address, HIGH_LEVEL, type Irql } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { Invoker } from './invoke.ts';
import type { Kernel } from './kernel.ts';
import { bytes, pointer, struct, u8, u32 } from './layout.ts';
import { ANY, CODE, callback, functionsOf, IN, POINTER, ULONG } from './record.ts';
import type { Coroutine } from './scheduler.ts';

const AT_CRASH = { min: HIGH_LEVEL as Irql, max: HIGH_LEVEL as Irql };

export const KBUGCHECK_CALLBACK_ROUTINE = callback({
  name: 'BugCheckCallback',
  page: 'nc-wdm-kbugcheck_callback_routine',
  params: { Buffer: POINTER, Length: ULONG },
  returns: 'void',
  irql: AT_CRASH,
});
export const KBUGCHECK_REASON_CALLBACK_ROUTINE = callback({
  name: 'BugCheckReasonCallback',
  page: 'nc-wdm-kbugcheck_reason_callback_routine',
  params: { Reason: ULONG, Record: POINTER, ReasonSpecificData: POINTER, ReasonSpecificDataLength: ULONG },
  returns: 'void',
  irql: AT_CRASH,
});

const ENTRY = bytes(16, 8);
export const KBUGCHECK_CALLBACK_RECORD = struct('KBUGCHECK_CALLBACK_RECORD', {
  Entry: ENTRY,
  CallbackRoutine: pointer,
  Buffer: pointer,
  Length: u32,
  Component: pointer,
  Checksum: pointer,
  State: u8,
});
export const KBUGCHECK_REASON_CALLBACK_RECORD = struct('KBUGCHECK_REASON_CALLBACK_RECORD', {
  Entry: ENTRY,
  CallbackRoutine: pointer,
  Component: pointer,
  Checksum: pointer,
  Reason: u32,
  State: u8,
});
const KBUGCHECK_SECONDARY_DUMP_DATA = struct('KBUGCHECK_SECONDARY_DUMP_DATA', {
  InBuffer: pointer,
  InBufferLength: u32,
  MaximumAllowed: u32,
  Guid: bytes(16, 4),
  OutBuffer: pointer,
  OutBufferLength: u32,
});
const KbCallbackSecondaryDumpData = 2;
/** What a driver may add to the dump (assumed; the page names no number). */
const DUMP_ROOM = 0x1000;

export class BugCheckCallbacks {
  private readonly heap: Heap;
  private readonly memory: GuestMemory;
  private readonly invoker: () => Invoker;
  /** What each record stands for, in the order of registration. */
  private readonly records = new Map<Address, () => Coroutine<void>>();

  constructor(parts: { heap: Heap; memory: GuestMemory; invoker: () => Invoker }) {
    this.heap = parts.heap;
    this.memory = parts.memory;
    this.invoker = parts.invoker;
  }

  /** False where the record is registered already. */
  add(record: Address, call: () => Coroutine<void>): boolean {
    if (this.records.has(record)) return false;
    this.records.set(record, call);
    return true;
  }

  remove(record: Address): boolean {
    return this.records.delete(record);
  }

  get any(): boolean {
    return this.records.size > 0;
  }

  /** The system crashes: the last registered is called first (observed). A record in memory that is gone is passed over. */
  *run(): Coroutine<void> {
    for (const [record, call] of [...this.records].reverse()) {
      if (this.memory.writable(record, KBUGCHECK_REASON_CALLBACK_RECORD.size)) yield* call();
    }
  }

  *plain(routine: Address, Buffer: Address, Length: number): Coroutine<void> {
    yield* this.invoker().invoke(KBUGCHECK_CALLBACK_ROUTINE, routine, { Buffer, Length });
  }

  *secondaryData(routine: Address, Record: Address): Coroutine<void> {
    const room = this.heap.allocate(DUMP_ROOM, 'buffer for secondary dump data', { fill: 0 });
    const ReasonSpecificData = this.heap.allocate(
      KBUGCHECK_SECONDARY_DUMP_DATA.size,
      KBUGCHECK_SECONDARY_DUMP_DATA.name,
      { fill: 0 },
    );
    KBUGCHECK_SECONDARY_DUMP_DATA.write(this.memory, ReasonSpecificData, {
      InBuffer: room,
      InBufferLength: DUMP_ROOM,
      MaximumAllowed: DUMP_ROOM,
    });
    yield* this.invoker().invoke(KBUGCHECK_REASON_CALLBACK_ROUTINE, routine, {
      Reason: KbCallbackSecondaryDumpData,
      Record,
      ReasonSpecificData,
      ReasonSpecificDataLength: KBUGCHECK_SECONDARY_DUMP_DATA.size,
    });
  }
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', returns: 'bool', irql: ANY } as const;
const failures = [{ id: 'false', fail: () => false }] as const;

/** A record that is not registered gives FALSE, by the page: no driver does wrong who deregisters to be sure. */
const deregistering = (page: string) =>
  f({
    ...common,
    page,
    params: { CallbackRecord: POINTER },
    undoes: {
      types: ['callbacks'],
      key: ({ CallbackRecord }) => CallbackRecord,
      mayBeIdle: true,
      when: (_, was) => was,
    },
    body: ({ bugCheckCallbacks }, { CallbackRecord }) => bugCheckCallbacks.remove(CallbackRecord),
  });

export const bugCheckCallbackFunctions = {
  KeRegisterBugCheckCallback: f({
    ...common,
    page: 'wdm-keregisterbugcheckcallback',
    params: {
      CallbackRecord: IN(KBUGCHECK_CALLBACK_RECORD),
      CallbackRoutine: CODE,
      Buffer: POINTER,
      Length: ULONG,
      Component: POINTER,
    },
    acquires: { type: 'callbacks', key: ({ CallbackRecord }) => CallbackRecord.address },
    failures,
    body({ bugCheckCallbacks: callbacks }, { CallbackRecord: record, CallbackRoutine, Buffer, Length, Component }) {
      if (!callbacks.add(record.address, () => callbacks.plain(CallbackRoutine, Buffer, Length))) return false;
      Object.assign(record, { CallbackRoutine, Buffer, Length, Component, State: BufferInserted });
      return true;
    },
  }),
  KeDeregisterBugCheckCallback: deregistering('wdm-kederegisterbugcheckcallback'),
  KeRegisterBugCheckReasonCallback: f({
    ...common,
    page: 'wdm-keregisterbugcheckreasoncallback',
    params: {
      CallbackRecord: IN(KBUGCHECK_REASON_CALLBACK_RECORD),
      CallbackRoutine: CODE,
      Reason: ULONG,
      Component: POINTER,
    },
    acquires: { type: 'callbacks', key: ({ CallbackRecord }) => CallbackRecord.address },
    failures,
    body({ bugCheckCallbacks: callbacks }, { CallbackRecord: record, CallbackRoutine, Reason, Component }) {
      const call = () =>
        Reason === KbCallbackSecondaryDumpData ? callbacks.secondaryData(CallbackRoutine, record.address) : nothing();
      if (!callbacks.add(record.address, call)) return false;
      Object.assign(record, { CallbackRoutine, Component, Reason, State: BufferInserted });
      return true;
    },
  }),
  KeDeregisterBugCheckReasonCallback: deregistering('wdm-kederegisterbugcheckreasoncallback'),
};

/** KBUGCHECK_BUFFER_DUMP_STATE. */
const BufferInserted = 1;

function* nothing(): Coroutine<void> {}
