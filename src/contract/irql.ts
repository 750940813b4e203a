/** Calls above or below the IRQL they are allowed at, and routines that return at another one: contract.md E. */
import { kernelFunctions } from '../kernel/functions.ts';
import type { AnyFunction, IrqlRange } from '../kernel/record.ts';
import { ndisFunctions } from '../ndis/functions.ts';
import type { EventOf } from '../trace/events.ts';
import { DISPATCH_LEVEL, HIGH_LEVEL, irqlName } from '../trace/units.ts';
import { family, type Row, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

const records: Readonly<Record<string, AnyFunction>> = { ...kernelFunctions, ...ndisFunctions };

const rows: readonly Row[] = [
  ['irql-violation', 'error', 'a function is called at an IRQL it does not allow', 'I:', 'D:irql-rule-set--ndis-'],
  ['irql-cancel-periodic-timer', 'error', 'a periodic timer is cancelled above PASSIVE_LEVEL', 'D:ndis-periodictimer'],
  ['irql-alloc-shared-memory', 'error', 'NdisMAllocateSharedMemory is called above PASSIVE_LEVEL', 'G:bug-check-0x7c'],
  ['irql-wait-event', 'error', 'the driver waits above PASSIVE_LEVEL', 'I:ndisinitializeevent', 'G:bug-check-0x7c'],
  [
    'irql-sg',
    'error',
    'a scatter/gather list call is not made at DISPATCH_LEVEL',
    'I:ndismallocatenetbuffersglist',
    'G:bug-check-0xe6',
  ],
  ['irql-free-pool', 'error', 'pool is freed above the level its kind allows', 'G:bug-check-0xc4'],
  ['irql-isr-calls-ndis', 'error', 'an interrupt routine calls a function that is not for any IRQL', 'I:miniport_isr'],
  ['irql-changed-by-callback', 'error', 'a routine returns at another IRQL than it was called at', 'D:wdm-irqlreturn'],
  [
    'irql-flag-mismatch',
    'warning',
    'a call says that it is made at DISPATCH_LEVEL and is not',
    'N:dispatch-irql-tracking',
    'D:ndis-flags-irql',
  ],
  [
    'irql-lock-order',
    'warning',
    'spin locks are released in an order that restores the wrong IRQL',
    'N:synchronization-and-notification-in-network-drivers',
  ],
  [
    'shutdown-calls-ndis',
    'error',
    'MiniportShutdownEx calls what it may not when the system crashes',
    'I:miniport_shutdown',
    'N:miniport-adapter-shutdown',
  ],
];

/** Calls with a flag by which the driver says that it is at DISPATCH_LEVEL: its parameter and the bit (ndis.h). */
const DISPATCH_FLAGS: Readonly<Record<string, readonly [param: string, bit: number]>> = {
  NdisMSendNetBufferListsComplete: ['SendCompleteFlags', 1],
  NdisMIndicateReceiveNetBufferLists: ['ReceiveFlags', 1],
  NdisAcquireRWLockRead: ['Flags', 1],
  NdisAcquireRWLockWrite: ['Flags', 1],
};

function* flags(view: TraceView): Iterable<Violation & { rule: string }> {
  for (const call of view.calls(...Object.keys(DISPATCH_FLAGS))) {
    const [param, bit] = DISPATCH_FLAGS[call.fn] as readonly [string, number];
    if ((Number(call.args[param] ?? 0) & bit) === 0 || call.irql >= DISPATCH_LEVEL) continue;
    yield {
      rule: 'irql-flag-mismatch',
      seq: call.seq,
      message: `${call.callback ?? 'The driver'} calls ${call.fn} at ${irqlName(call.irql)} with the flag that says DISPATCH_LEVEL.`,
    };
  }
}

/** Releases that set the IRQL; those from DISPATCH_LEVEL to DISPATCH_LEVEL may come in any order. */
const LOWERING = new Set(['NdisReleaseSpinLock', 'KeReleaseSpinLock']);

function* lockOrder(view: TraceView): Iterable<Violation & { rule: string }> {
  for (const fact of view.facts('spin-locks-out-of-order')) {
    const call = view.of('call').findLast(({ seq, context }) => seq < fact.seq && context === fact.context);
    if (call === undefined || !LOWERING.has(call.fn)) continue;
    yield {
      rule: 'irql-lock-order',
      seq: fact.seq,
      message: `${call.callback ?? 'The driver'} releases a spin lock with ${call.fn} before one that it took later; the IRQL drops while that one is held.`,
    };
  }
}

const special: Readonly<Record<string, string>> = {
  NdisMAllocateSharedMemory: 'irql-alloc-shared-memory',
  NdisWaitEvent: 'irql-wait-event',
  NdisMAllocateNetBufferSGList: 'irql-sg',
  NdisMFreeNetBufferSGList: 'irql-sg',
  ExFreePool: 'irql-free-pool',
  ExFreePoolWithTag: 'irql-free-pool',
  ExFreePool2: 'irql-free-pool',
};

/** Routines that run at the device's IRQL. */
const INTERRUPT_CONTEXT = new Set([
  'MiniportInterrupt',
  'MiniportMessageInterrupt',
  'MiniportSynchronizeInterrupt',
  'MiniportDisableInterruptEx',
  'MiniportEnableInterruptEx',
  'MiniportDisableMessageInterrupt',
  'MiniportEnableMessageInterrupt',
]);

const DIRQL = 3;

function allowed({ min, max }: IrqlRange): string {
  return min === max
    ? `exactly at ${irqlName(min)}`
    : min === 0
      ? `up to ${irqlName(max)}`
      : `from ${irqlName(min)} to ${irqlName(max)}`;
}

/** A wait with a zero timeout may be made at DISPATCH_LEVEL, and a periodic timer's cancel may not: the argument decides. */
function rangeOf(view: TraceView, call: EventOf<'call'>, record: AnyFunction): { range: IrqlRange; rule: string } {
  if (call.fn === 'NdisCancelTimerObject') {
    const set = view
      .heldAt(call.seq)
      .find(({ acquired }) => acquired.type === 'timer-set' && acquired.key === call.args.TimerObject);
    if (Number(set?.acquired.detail.period ?? 0) > 0) {
      return { range: { min: record.irql.min, max: record.irql.min }, rule: 'irql-cancel-periodic-timer' };
    }
  }
  if (call.callback === 'MiniportShutdownEx' && call.irql === HIGH_LEVEL) {
    return { range: record.irql, rule: 'shutdown-calls-ndis' };
  }
  const isr = INTERRUPT_CONTEXT.has(call.callback ?? '') && call.irql >= DIRQL;
  return { range: record.irql, rule: isr ? 'irql-isr-calls-ndis' : (special[call.fn] ?? 'irql-violation') };
}

export const irql = family(rows, function* (view): Iterable<Violation & { rule: string }> {
  for (const call of view.of('call')) {
    const record = records[call.fn];
    if (record === undefined) continue;
    const { range, rule } = rangeOf(view, call, record);
    if (call.irql >= range.min && call.irql <= range.max) continue;
    yield {
      rule,
      seq: call.seq,
      message: `${call.callback ?? 'The driver'} calls ${call.fn} at ${irqlName(call.irql)}; it may be called ${allowed(range)}.`,
      stack: call.stack ?? [],
    };
  }
  yield* flags(view);
  yield* lockOrder(view);
  for (const leave of view.of('leave')) {
    if (leave.irqlAtEntry === undefined) continue;
    yield {
      rule: 'irql-changed-by-callback',
      seq: leave.seq,
      message: `${leave.callback} is called at ${irqlName(leave.irqlAtEntry)} and returns at ${irqlName(leave.irql)}.`,
    };
  }
});
