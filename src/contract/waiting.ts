/** What must have come to rest when MiniportHaltEx returns, and how the driver waits and locks: contract.md B2, B3. */
import type { EventOf, TraceEvent } from '../trace/events.ts';
import { MICROSECOND, SECOND } from '../trace/units.ts';
import { family, type Violation } from './rule.ts';
import type { Span, TraceView } from './view.ts';

type Id =
  | 'halt-returns-with-timer-callback'
  | 'halt-returns-with-async-work'
  | 'timer-freed-while-active'
  | 'timer-set-after-free'
  | 'work-item-freed-while-queued'
  | 'lock-held-at-return'
  | 'wait-holding-lock'
  | 'wait-by-busy-loop'
  | 'spin-lock-misuse'
  | 'ndis5-call'
  | 'isr-claims-foreign-interrupt';

function* atEnd(view: TraceView, span: Span): Iterable<Violation & { rule: Id }> {
  const seq = span.leave?.seq ?? 0;
  const routine = span.callback;
  const timers = view.underWay(seq, 'timer-callback-pending', ['timer-callback-ended'], 'timer', span.adapter);
  if (timers.some((timer) => worksOn(view, seq, 'timer-callback', 'ended', ['timer', timer]))) {
    yield {
      rule: 'halt-returns-with-timer-callback',
      seq,
      message: `NdisCancelTimerObject said FALSE because the timer's callback was on its way, and ${routine} returns without having waited for it.`,
    };
  }
  const items = view.underWay(seq, 'work-item-queued', ['work-item-finished'], 'item', span.adapter);
  if (items.some((item) => worksOn(view, seq, 'work-item', 'finished', ['item', item]))) {
    yield {
      rule: 'halt-returns-with-async-work',
      seq,
      message: `${routine} returns while a work item of the driver is queued or running.`,
    };
  }
}

/**
 * Whether a routine that is under way still has something to do: it has not begun, never ends, or calls or faults before it
 * does. One that has told whoever waits that it is done, and has only its way back before it, keeps nobody from halting.
 */
function worksOn(
  view: TraceView,
  seq: number,
  what: string,
  end: 'ended' | 'finished',
  [key, name]: readonly [string, string],
): boolean {
  const facts = (which: string) => view.facts(`${what}-${which}`).filter(({ detail }) => String(detail[key]) === name);
  // A timer that sets itself again may run on two processors at once, under one name; a work item's worker may move.
  const same = (run: TraceEvent, event: TraceEvent) =>
    event.context === run.context && (what === 'work-item' || event.processor === run.processor);
  const endOf = (run: TraceEvent) => facts(end).find((fact) => fact.seq > run.seq && same(run, fact));
  const queued = what === 'work-item' ? facts('queued').findLast((fact) => fact.seq < seq) : undefined;
  const running = facts('started').filter((run) => run.seq < seq && (endOf(run)?.seq ?? Number.MAX_VALUE) > seq);
  if (!running.some((run) => run.seq > (queued?.seq ?? 0))) return true;
  return running.some((run) => {
    const ended = endOf(run);
    if (ended === undefined) return true;
    return view.events
      .slice(seq, ended.seq)
      .some((event) => (event.kind === 'call' || event.kind === 'fault') && same(run, event));
  });
}

/** A timer that is freed when its callback has told the driver so, and only returns after that, is freed in time. */
const returnsOnly = (view: TraceView, { what, seq, detail }: EventOf<'fact'>): boolean =>
  what === 'timer-freed-while-active' &&
  detail.state === 'running' &&
  !worksOn(view, seq, 'timer-callback', 'ended', ['timer', String(detail.timer)]);

const simple: readonly (readonly [what: string, rule: Id, message: string])[] = [
  [
    'timer-freed-while-active',
    'timer-freed-while-active',
    'NdisFreeTimerObject frees a timer that is set or whose callback is on its way.',
  ],
  ['timer-call-on-freed', 'timer-set-after-free', 'A timer object is used after NdisFreeTimerObject.'],
  ['work-item-freed-while-queued', 'work-item-freed-while-queued', 'A work item is freed while it is queued.'],
  [
    'spin-lock-taken-twice',
    'spin-lock-misuse',
    'A spin lock is taken by the context that already holds it: a deadlock.',
  ],
  ['spin-lock-not-held', 'spin-lock-misuse', 'A spin lock is released that nobody holds.'],
  [
    'foreign-interrupt-claimed',
    'isr-claims-foreign-interrupt',
    'The ISR returns TRUE for an interrupt that is not its device’s.',
  ],
  ['ndis5-call', 'ndis5-call', 'A function of NDIS 5 is called from an NDIS 6 miniport.'],
];

const STALL_LIMIT = 50;

/** Whether this context took the lock as a reader. */
function isShared(view: TraceView, { seq, context }: EventOf<'fact'>, lock: string): boolean {
  const taken = view
    .of('call')
    .findLast(
      (call) =>
        call.seq < seq &&
        call.context === context &&
        /Acquire/.test(call.fn) &&
        Object.values(call.args).includes(lock),
    );
  return taken !== undefined && /Shared|Read(?!Write)/.test(taken.fn);
}

function* waits(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const fact of view.facts('waits-with-locks')) {
    const waited = fact.detail.why === 'waits';
    // Readers of a lock do not keep each other out.
    if (!waited && (fact.detail.locks as readonly string[]).every((lock) => isShared(view, fact, lock))) continue;
    const who = fact.callback ?? 'The driver';
    yield {
      rule: 'wait-holding-lock',
      seq: fact.seq,
      message: waited
        ? `${who} waits in ${fact.detail.fn} while it holds a spin lock.`
        : `${who} calls ${fact.detail.fn} with a spin lock held; drivers above may call back before it returns, and what then needs the lock waits for ever.`,
      stack: fact.stack ?? [],
      // For NdisMResetComplete the page says "must", for the others "should": whether it ends in a deadlock is up to others.
      ...(waited || fact.detail.fn === 'NdisMResetComplete' ? {} : { severity: 'warning' as const }),
    };
  }
  for (const call of view.calls('NdisStallExecution', 'KeStallExecutionProcessor', 'NdisMSleep')) {
    const microseconds = Number(
      call.args.MicrosecondsToSleep ?? call.args.MicrosecondsToStall ?? call.args.MicroSeconds ?? 0,
    );
    const limit = call.fn === 'NdisMSleep' ? (30 * SECOND) / MICROSECOND : STALL_LIMIT;
    if (microseconds <= limit) continue;
    yield {
      rule: 'wait-by-busy-loop',
      seq: call.seq,
      message: `${call.callback ?? 'The driver'} calls ${call.fn} for ${microseconds} µs; at most ${limit} are allowed.`,
    };
  }
}

export const waiting = family(
  [
    [
      'halt-returns-with-timer-callback',
      'error',
      'MiniportHaltEx does not wait for a timer callback that could not be cancelled',
      'N:halt-handler',
      'I:miniport_halt',
      'I:ndiscanceltimerobject',
    ],
    [
      'halt-returns-with-async-work',
      'error',
      'MiniportHaltEx returns while work of the driver is queued or running',
      'N:halt-handler',
      'I:miniport_halt',
    ],
    [
      'timer-freed-while-active',
      'error',
      'a timer object is freed while it is set or its callback runs',
      'I:ndiscanceltimerobject',
      'G:bug-check-0xc7',
    ],
    ['timer-set-after-free', 'error', 'a timer object is used after it was freed', 'I:ndisfreetimerobject'],
    ['work-item-freed-while-queued', 'error', 'a work item is freed while it is queued', 'W:iofreeworkitem'],
    ['lock-held-at-return', 'error', 'a routine returns with a spin lock held', 'D:ndis-spinlock'],
    [
      'wait-holding-lock',
      'error',
      'the driver waits, or lets others call it, while it holds a spin lock',
      'N:synchronization-and-notification-in-network-drivers',
      'I:ndismresetcomplete~r1',
    ],
    [
      'wait-by-busy-loop',
      'warning',
      'the driver stalls or sleeps longer than allowed',
      'I:miniport_halt',
      'I:ndismsleep',
      'D:ndis-ndisstallexecution-delay',
    ],
    [
      'spin-lock-misuse',
      'error',
      'a spin lock is taken twice or released without being held',
      'D:ndis-spinlock',
      'D:ndis-spinlockrelease',
    ],
    ['isr-claims-foreign-interrupt', 'warning', 'the ISR claims an interrupt that is not its NIC’s', 'I:miniport_isr'],
    ['ndis5-call', 'error', 'a function of NDIS 5 is called', 'G:bug-check-0x7c'],
  ],
  function* (view): Iterable<Violation & { rule: Id }> {
    for (const span of view.ends()) yield* atEnd(view, span);
    for (const [what, rule, message] of simple) {
      for (const fact of view.facts(what)) {
        if (!returnsOnly(view, fact)) yield { rule, seq: fact.seq, message, stack: fact.stack ?? [] };
      }
    }
    for (const leave of view.of('leave')) {
      if (leave.locksHeld === undefined) continue;
      yield {
        rule: 'lock-held-at-return',
        seq: leave.seq,
        message: `${leave.callback} returns while it holds ${leave.locksHeld.length} spin lock(s) it took.`,
      };
    }
    yield* waits(view);
  },
);
