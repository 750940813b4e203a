/**
 * NDIS_TIMER and NDIS_MINIPORT_TIMER: timers in the driver's memory, as NDIS 5 had them. Shipping NDIS 6 miniports (Intel's)
 * still use them; ndis.h declares them for NDIS 6 and recommends timer objects. Nothing of them is freed, so what is owed is
 * a set timer; their cancel never waits. No live page: the prototypes are ndis.h's, behaviour is assumed to be KTIMER's.
 */
import { bool8 } from '../kernel/layout.ts';
import { CODE, D, functionsOf, HANDLE, OUT, type Out, POINTER, ULONG } from '../kernel/record.ts';
import { type Address, type Handle, hex, MILLISECOND, NULL, type VirtualTime } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';

/** KTIMER and KDPC; for a miniport's, four pointers more (ndis.h). */
const NDIS_TIMER_SIZE = 0x80;
const NDIS_MINIPORT_TIMER_SIZE = 0xa0;

interface Initializing {
  readonly Timer: Address;
  readonly TimerFunction: Address;
  readonly FunctionContext: Address;
}

function initialize({ kernel, timers }: Ndis, args: Initializing, storage: number, owner?: Handle): undefined {
  const known = timers.peek(args.Timer);
  if (known !== undefined && timers.isSet(known)) {
    emitFact(kernel, 'set-timer-initialized-again', { timer: hex(args.Timer) });
  }
  kernel.memory.fill(args.Timer, storage, 0);
  timers.create({
    key: args.Timer,
    owner,
    routine: args.TimerFunction,
    defaultContext: args.FunctionContext,
    storage,
  });
}

function set(ndis: Ndis, key: Address, delay: number, period: number, context: Address, fn: string): undefined {
  const timer = ndis.timers.named(key, fn);
  if (timer === undefined) return;
  const due = (ndis.kernel.clock.now + delay * MILLISECOND) as VirtualTime;
  ndis.timers.set(timer, due, period, context, fn);
}

function cancel(ndis: Ndis, args: { Timer: Address; TimerCancelled: Out<boolean> }, fn: string): undefined {
  const timer = ndis.timers.named(args.Timer, fn);
  args.TimerCancelled.set(timer !== undefined && ndis.timers.cancel(timer, fn, ndis.timerRace));
}

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS', returns: 'void', irql: D } as const;
const key = ({ Timer }: { Timer: Address }) => Timer;
/** Both entered by `NdisTimers`; see timers.ts. */
const acquires = { type: 'timer-set', key, when: () => false } as const;
const undoes = { types: ['timer-set'], key, mayBeIdle: true, when: () => true } as const;

export const legacyTimerFunctions = {
  NdisInitializeTimer: f({
    ...common,
    page: 'ndis-ndisallocatetimerobject',
    params: { Timer: POINTER, TimerFunction: CODE, FunctionContext: POINTER },
    body: (ndis, args) => initialize(ndis, args, NDIS_TIMER_SIZE),
  }),
  NdisMInitializeTimer: f({
    ...common,
    page: 'ndis-ndisallocatetimerobject',
    params: { Timer: POINTER, MiniportAdapterHandle: HANDLE, TimerFunction: CODE, FunctionContext: POINTER },
    body: (ndis, args) => initialize(ndis, args, NDIS_MINIPORT_TIMER_SIZE, args.MiniportAdapterHandle),
  }),
  NdisSetTimer: f({
    ...common,
    page: 'ndis-ndissettimerobject',
    params: { Timer: POINTER, MillisecondsToDelay: ULONG },
    acquires,
    body: (ndis, args, { fn }) => set(ndis, args.Timer, args.MillisecondsToDelay, 0, NULL, fn),
  }),
  NdisSetTimerEx: f({
    ...common,
    page: 'ndis-ndissettimerobject',
    params: { Timer: POINTER, MillisecondsToDelay: ULONG, FunctionContext: POINTER },
    acquires,
    body: (ndis, args, { fn }) => set(ndis, args.Timer, args.MillisecondsToDelay, 0, args.FunctionContext, fn),
  }),
  NdisSetPeriodicTimer: f({
    ...common,
    page: 'ndis-ndissettimerobject',
    params: { Timer: POINTER, MillisecondsPeriod: ULONG },
    acquires,
    body: (ndis, args, { fn }) => set(ndis, args.Timer, args.MillisecondsPeriod, args.MillisecondsPeriod, NULL, fn),
  }),
  NdisMSetPeriodicTimer: f({
    ...common,
    page: 'ndis-ndissettimerobject',
    params: { Timer: POINTER, MillisecondsPeriod: ULONG },
    acquires,
    body: (ndis, args, { fn }) => set(ndis, args.Timer, args.MillisecondsPeriod, args.MillisecondsPeriod, NULL, fn),
  }),
  NdisCancelTimer: f({
    ...common,
    page: 'ndis-ndiscanceltimerobject',
    params: { Timer: POINTER, TimerCancelled: OUT(bool8) },
    undoes,
    body: (ndis, args, { fn }) => cancel(ndis, args, fn),
  }),
  NdisMCancelTimer: f({
    ...common,
    page: 'ndis-ndiscanceltimerobject',
    params: { Timer: POINTER, TimerCancelled: OUT(bool8) },
    undoes,
    body: (ndis, args, { fn }) => cancel(ndis, args, fn),
  }),
};
