/** The races in C: a file in c/ each, and its seeds. */
import type { RaceCase } from './case.ts';

/** What is freed or still under way first depends on the order. */
const FREED = [
  'memory-use-after-free',
  'memory-double-free',
  'driver-bugcheck',
  'driver-access-violation',
  'memory-freed-with-live-object',
];
const LEFT = [
  'halt-returns-with-async-work',
  'halt-returns-with-timer-callback',
  'timer-freed-while-active',
  'work-item-freed-while-queued',
  'unload-with-live-code',
];

const race = (
  driver: string,
  seed: string,
  beside: string,
  name: string,
  rules: readonly string[] = [...FREED, ...LEFT],
  more: Partial<RaceCase> = {},
): RaceCase => ({ name: `C, ${name}`, beside, rules, race: `${driver}-${seed}`, clean: driver, ...more });

const board = { hardware: true } as const;
const interrupt = ['halt-deregisters-interrupt-late', ...FREED];

/** HAL has no map registers at once. */
const sgListLate = { fn: 'NdisMAllocateNetBufferSGList', nth: 1, failure: 'late' };

export const racesInC: readonly RaceCase[] = [
  race('line', 'counts-first', 'MiniportInterrupt', 'line: what the ISR counts in goes first', interrupt, board),
  race('line', 'mapping-first', 'MiniportInterrupt', 'line: the registers are unmapped first', interrupt, board),
  race(
    'message',
    'counts-first',
    'MiniportMessageInterrupt',
    'message: what the ISR counts in goes first',
    interrupt,
    board,
  ),
  race(
    'message',
    'queued-dpc',
    'MiniportMessageInterruptDPC',
    'message: a stopped board may have a DPC queued',
    interrupt,
    board,
  ),
  race('timer', 'cancel-ignored', 'NetTimerCallback', 'timer: FALSE from the cancel is ignored'),
  race('timer', 'signals-early', 'NetTimerCallback', 'timer: the callback signals before its last access'),
  race('periodic', 'waits-first', 'NetTimerCallback', 'periodic timer: halt waits for its work item, then cancels'),
  race('ktimer', 'dpc-forgotten', 'CustomTimerDpc', 'kernel timer: its DPC is forgotten', ['halt-leaks-dpc', ...FREED]),
  race('extimer', 'deleted-without-wait', 'ExTimerCallback', 'EX_TIMER: deleted without waiting'),
  race('workitem', 'not-awaited', 'NDIS work item', 'work item: a millisecond must do'),
  race('workitem', 'signals-early', 'NDIS work item', 'work item: it signals before its last access'),
  race('workitem', 'freed-twice', 'NDIS work item', 'work item: both look and both free'),
  race('workitem', 'count-lost', 'NDIS work item', 'work item: a count loses an update', ['halt-hang']),
  race('iowork', 'stale-signal', 'Io work item', 'Io work item: the event is about the time before'),
  race('thread', 'its-event', 'system thread', 'thread: halt waits for its event, not for its end', [
    ...FREED,
    'halt-leaves-system-thread',
  ]),
  race(
    'memory',
    'not-awaited',
    'MiniportSharedMemoryAllocateComplete',
    'shared memory: a block that is still to come',
    ['shared-memory-async-pending-at-halt', ...FREED],
    board,
  ),
  race(
    'sglist',
    'not-awaited',
    'MiniportProcessSGList',
    'SG list: it is still to come',
    ['sg-list-pending-at-halt', 'dma-use-after-deregister', ...FREED],
    { ...board, scenario: { flow: 'prompt-halt', faults: [sgListLate] } },
  ),
  race('send', 'counted-out-first', 'sends in flight', 'sends: counted out before they are completed', [
    'pause-completes-before-nbls-returned',
    ...FREED,
    ...LEFT,
  ]),
  race('receive', 'not-awaited', 'receives in flight', 'receives: pause does not wait for them', [
    'pause-completes-before-nbls-returned',
    ...FREED,
    ...LEFT,
  ]),
  race(
    'receive',
    'home-too-early',
    'MiniportReturnNetBufferLists',
    'receives: the return handler counts before its last access',
    undefined,
    { scenario: { flow: 'prompt-halt' } },
  ),
  race(
    'receive',
    'looks-then-indicates',
    'receives in flight',
    'receives: the timer looks, the pause begins, the timer indicates',
    ['receive-indicated-while-paused', ...FREED, ...LEFT],
  ),
  race('oid', 'answered-is-over', 'OIDs in flight', 'OID: answered is not over', [...FREED, ...LEFT], {
    scenario: { flow: 'prompt-halt' },
  }),
  race('oid', 'direct-not-counted', 'direct OIDs in flight', 'direct OID: answered is not over', [...FREED, ...LEFT], {
    scenario: { flow: 'prompt-halt' },
  }),
  race('reset', 'completed-is-over', 'reset in progress', 'reset: completed is not over', [...FREED, ...LEFT], {
    scenario: { flow: 'reset-while-pausing' },
  }),
  race(
    'shared',
    'list-unlocked',
    'other adapters',
    'other adapters: their list is gone through without its lock',
    ['halt-frees-driver-scope', ...FREED],
    { scenario: { flow: 'first-of-two' } },
  ),
];
