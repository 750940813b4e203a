/** Pause, restart and the data path: contract.md B3, C1. */
import type { EventOf } from '../trace/events.ts';
import { family, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

const SUCCESS = '0x0';
const PENDING = '0x103';

type Id =
  | 'pause-fails'
  | 'pause-completes-before-nbls-returned'
  | 'halt-returns-before-nbls-returned'
  | 'pause-complete-unexpected'
  | 'restart-complete-unexpected'
  | 'restart-bad-status'
  | 'receive-indicated-while-paused'
  | 'send-not-rejected-while-paused'
  | 'pause-frees-init-resources'
  | 'pause-allocates'
  | 'restart-failure-leaves-datapath'
  | 'send-completed-unknown'
  | 'pool-freed-before-members'
  | 'nbl-freed-while-indicated'
  | 'reset-complete-unexpected'
  | 'status-invalid-buffer';

const number = (fact: EventOf<'fact'>, name: string) => Number(fact.detail[name] ?? 0);
const at = (fact: EventOf<'fact'>) => ({ seq: fact.seq, ...(fact.stack === undefined ? {} : { stack: fact.stack }) });

/** What is still out when the driver says that its pause is complete, or that it has halted. */
function* outstanding(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const fact of view.facts('pause-completed')) {
    const receives = number(fact, 'receivesOut');
    const sends = number(fact, 'sendsOut');
    if (receives + sends === 0) continue;
    const out = [
      ...(receives > 0 ? [`${receives} received NET_BUFFER_LISTs`] : []),
      ...(sends > 0 ? [`${sends} sends`] : []),
    ];
    yield {
      rule: 'pause-completes-before-nbls-returned',
      ...at(fact),
      message: `The pause completes while ${out.join(' and ')} are still out.`,
    };
  }
  for (const fact of view.facts('halt-returned')) {
    const receives = number(fact, 'receivesOut');
    // Freed while they were up: that says it already. A pause that completed too early is a fault of its own (contract.md Q3).
    if (receives === 0 || view.facts('nbl-freed-while-indicated').some(({ seq }) => seq < fact.seq)) continue;
    yield {
      rule: 'halt-returns-before-nbls-returned',
      ...at(fact),
      message: `MiniportHaltEx returns while ${receives} received NET_BUFFER_LISTs have not come back through MiniportReturnNetBufferLists.`,
    };
  }
}

function* statuses(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const { callback, leave } of view.runs('MiniportPause', 'MiniportRestart')) {
    if (leave === undefined || leave.result === SUCCESS || leave.result === PENDING) continue;
    if (callback === 'MiniportPause') {
      yield {
        rule: 'pause-fails',
        seq: leave.seq,
        message: `MiniportPause returns ${leave.result}; it may only succeed or pend.`,
      };
    } else if (leave.result !== '0xC000009A' && leave.result !== '0xC0000001') {
      yield {
        rule: 'restart-bad-status',
        seq: leave.seq,
        message: `MiniportRestart returns ${leave.result}; documented are SUCCESS, PENDING, RESOURCES and FAILURE.`,
      };
    }
  }
}

/** What initialize acquired and pause gives back: it belongs to halt, for OIDs and status go on while paused. */
function* tooMuch(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const { acquired, undone } of view.holdings) {
    if (
      undone?.callback !== 'MiniportPause' ||
      acquired.callback !== 'MiniportInitializeEx' ||
      acquired.type === 'timer-set'
    )
      continue;
    yield {
      rule: 'pause-frees-init-resources',
      seq: undone.seq,
      message: `MiniportPause gives back what MiniportInitializeEx acquired with ${acquired.fn}; that is MiniportHaltEx' to do.`,
      stack: undone.stack,
    };
  }
}

/** A pause may not fail, so what it needs should be there before. */
function* allocates(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const acquired of view.of('acquire')) {
    if (acquired.callback !== 'MiniportPause' || !ALLOCATIONS.has(acquired.type)) continue;
    yield {
      rule: 'pause-allocates',
      seq: acquired.seq,
      message: `MiniportPause calls ${acquired.fn}, which can fail; the pause itself may not.`,
      stack: acquired.stack,
    };
  }
}

const ALLOCATIONS = new Set([
  ...['memory', 'pool', 'nbl-pool', 'nb-pool', 'nbl', 'nb', 'mdl', 'io-mdl', 'timer-object', 'ex-timer'],
  ...['work-item', 'io-work-item', 'system-thread', 'generic-object', 'rw-lock', 'irp'],
]);

const simple: readonly (readonly [what: string, rule: Id, message: string])[] = [
  ['pause-complete-unexpected', 'pause-complete-unexpected', 'NdisMPauseComplete is called with no pause pending.'],
  [
    'restart-complete-unexpected',
    'restart-complete-unexpected',
    'NdisMRestartComplete is called with no restart pending.',
  ],
  ['reset-complete-unexpected', 'reset-complete-unexpected', 'NdisMResetComplete is called with no reset pending.'],
  [
    'send-completed-unknown',
    'send-completed-unknown',
    'NdisMSendNetBufferListsComplete names a NET_BUFFER_LIST that is not out for sending.',
  ],
  [
    'pool-freed-with-members',
    'pool-freed-before-members',
    'A NET_BUFFER or NET_BUFFER_LIST pool is freed while members of it are still allocated.',
  ],
  ['nbl-freed-while-indicated', 'nbl-freed-while-indicated', 'A NET_BUFFER_LIST is freed while NDIS still has it.'],
];

/** The routine of each completion: it may not end with a status of its own what the completion has ended. */
const ROUTINES: Readonly<Record<string, string>> = {
  'pause-complete-unexpected': 'MiniportPause',
  'restart-complete-unexpected': 'MiniportRestart',
  'reset-complete-unexpected': 'MiniportResetEx',
};

function twice({ what, detail }: EventOf<'fact'>): string | undefined {
  const routine = ROUTINES[what];
  if (routine === undefined || detail.returned === undefined) return undefined;
  const completion = `${routine.replace('Miniport', 'NdisM').replace(/Ex$/, '')}Complete`;
  return `${routine} returns ${detail.returned} though ${completion} has been called; only after NDIS_STATUS_PENDING may it be.`;
}

/** Only a handle that the page says «should» be there: drivers of Microsoft's own leave it zero (observed in netvmini). */
const SHOULD = 'SourceHandle is not the adapter handle';

function* malformedStatus(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const fact of view.facts('status-invalid-buffer')) {
    const reasons = (fact.detail.reasons as readonly string[] | undefined) ?? [];
    const mild = reasons.length > 0 && reasons.every((reason) => reason === SHOULD);
    yield {
      rule: 'status-invalid-buffer',
      ...at(fact),
      message: `A status indication (${fact.detail.code}) is malformed: ${reasons.join('; ')}.`,
      ...(mild ? { severity: 'note' } : {}),
    };
  }
}

/** Whether the last restart of the adapter failed, and nothing came since. */
function afterFailedRestart(view: TraceView, fact: EventOf<'fact'>): boolean {
  const own = ({ detail, seq }: EventOf<'fact'>) => seq < fact.seq && detail.adapter === fact.detail.adapter;
  const failed = view.facts('restart-failed').findLast(own);
  const over = view.facts('halt-returned').findLast(own);
  return failed !== undefined && (over?.seq ?? -1) < failed.seq && fact.detail.state === 'Paused';
}

const MAY_RECEIVE = ['Running', 'Pausing', 'Restarting'];

export const pausing = family(
  [
    ['pause-fails', 'error', 'MiniportPause returns a failure', 'I:miniport_pause', 'D:ndis-miniportpause-return'],
    [
      'pause-completes-before-nbls-returned',
      'error',
      'a pause completes while sends or receives are out',
      'I:miniport_pause',
      'N:pausing-an-adapter',
    ],
    [
      'halt-returns-before-nbls-returned',
      'error',
      'MiniportHaltEx returns while receive indications are out',
      'N:halt-handler',
    ],
    ['pause-complete-unexpected', 'error', 'NdisMPauseComplete with none pending', 'G:bug-check-0x7c'],
    ['restart-complete-unexpected', 'error', 'NdisMRestartComplete with none pending', 'G:bug-check-0x7c'],
    [
      'restart-bad-status',
      'warning',
      'MiniportRestart returns a status it may not return',
      'I:miniport_restart',
      'I:ndismrestartcomplete',
    ],
    [
      'receive-indicated-while-paused',
      'error',
      'frames are indicated while the adapter is not running',
      'N:adapter-states-of-a-miniport-driver',
      'I:miniport_restart',
    ],
    [
      'send-not-rejected-while-paused',
      'error',
      'a send that arrives while pausing is not ended with NDIS_STATUS_PAUSED',
      'I:miniport_pause',
    ],
    [
      'pause-frees-init-resources',
      'warning',
      'MiniportPause frees what MiniportInitializeEx allocated',
      'I:miniport_pause',
    ],
    ['pause-allocates', 'note', 'MiniportPause allocates', 'I:miniport_pause'],
    [
      'restart-failure-leaves-datapath',
      'error',
      'frames are indicated after MiniportRestart has failed',
      'I:miniport_restart',
    ],
    ['send-completed-unknown', 'error', 'a send is completed that is not out, or twice', 'G:bug-check-0x7c'],
    [
      'pool-freed-before-members',
      'error',
      'a pool is freed before its members',
      'B:ndisfreenetbufferlistpool',
      'B:ndisfreenetbufferpool',
    ],
    [
      'nbl-freed-while-indicated',
      'error',
      'a NET_BUFFER_LIST is freed while NDIS has it',
      'I:ndismindicatereceivenetbufferlists',
      'N:deserialized-ndis-miniport-drivers',
    ],
    ['reset-complete-unexpected', 'error', 'NdisMResetComplete with none pending', 'G:bug-check-0x7c'],
    ['status-invalid-buffer', 'error', 'a status indication is malformed', 'G:bug-check-0x7c'],
  ],
  function* (view): Iterable<Violation & { rule: Id }> {
    yield* outstanding(view);
    yield* statuses(view);
    yield* tooMuch(view);
    yield* allocates(view);
    for (const [what, rule, message] of simple)
      for (const fact of view.facts(what)) {
        // A crash before the end leaves open whether the members would have leaked; other runs tell which it is.
        if (what === 'pool-freed-with-members' && view.facts('bug-check').length > 0) continue;
        yield { rule, ...at(fact), message: twice(fact) ?? message };
      }
    yield* malformedStatus(view);
    for (const fact of view.facts('receive-indicated')) {
      if (MAY_RECEIVE.includes(String(fact.detail.state))) continue;
      if (afterFailedRestart(view, fact)) {
        yield {
          rule: 'restart-failure-leaves-datapath',
          ...at(fact),
          message: 'MiniportRestart has failed, and frames are indicated all the same.',
        };
        continue;
      }
      yield {
        rule: 'receive-indicated-while-paused',
        ...at(fact),
        message: `Frames are indicated while the adapter is ${fact.detail.state}.`,
      };
    }
    for (const fact of view.facts('send-while-paused-result')) {
      if (fact.detail.status === 'NDIS_STATUS_PAUSED') continue;
      yield {
        rule: 'send-not-rejected-while-paused',
        ...at(fact),
        message: 'A send that arrives while the adapter pauses is not ended with NDIS_STATUS_PAUSED.',
      };
    }
  },
);
