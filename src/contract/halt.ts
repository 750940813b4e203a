/** What must be so when MiniportHaltEx returns, beyond what it must have freed, and what may not happen afterwards: contract.md B3. */
import type { EventOf } from '../trace/events.ts';
import { hex } from '../trace/units.ts';
import { resourceOf } from './leaks.ts';
import { family, type Violation } from './rule.ts';
import type { Span, TraceView } from './view.ts';

const COMPLETIONS = [
  'NdisMOidRequestComplete',
  'NdisMDirectOidRequestComplete',
  'NdisMSendNetBufferListsComplete',
  'NdisMPauseComplete',
  'NdisMRestartComplete',
  'NdisMResetComplete',
];
const STATUS = ['NdisMIndicateStatusEx', 'NdisMCoIndicateStatusEx'];
const HANDLE_NAMES = ['NdisMiniportHandle', 'MiniportAdapterHandle'];

type Id =
  | 'halt-leaves-nic-running'
  | 'init-fail-leaves-nic-running'
  | 'shutdown-leaves-nic-running'
  | 'status-after-halt'
  | 'status-in-halt'
  | 'complete-after-halt'
  | 'adapter-handle-after-halt'
  | 'deregister-driver-in-halt'
  | 'sync-after-deregister-interrupt'
  | 'halt-order-not-reverse'
  | 'halt-frees-add-device-context';

function* afterwards(view: TraceView, span: Span): Iterable<Violation & { rule: Id }> {
  const end = (span.leave as EventOf<'leave'>).seq;
  const again = view.nextLife(span);
  const handle = hex(span.adapter as number);
  const dead =
    span.callback === 'MiniportHaltEx' ? 'after MiniportHaltEx has returned' : 'after MiniportInitializeEx has failed';
  for (const call of view.of('call')) {
    if (call.seq < end || call.seq > again || !HANDLE_NAMES.some((name) => call.args[name] === handle)) continue;
    const rule = STATUS.includes(call.fn)
      ? 'status-after-halt'
      : COMPLETIONS.includes(call.fn)
        ? 'complete-after-halt'
        : 'adapter-handle-after-halt';
    yield { rule, seq: call.seq, message: `${call.callback ?? 'The driver'} calls ${call.fn} ${dead}.` };
  }
}

function* during(view: TraceView, span: Span): Iterable<Violation & { rule: Id }> {
  const end = span.leave?.seq ?? Number.POSITIVE_INFINITY;
  for (const call of view.of('call')) {
    if (call.seq < span.enter.seq || call.seq > end || call.callback !== span.callback) continue;
    if (STATUS.includes(call.fn) && span.callback === 'MiniportHaltEx') {
      yield {
        rule: 'status-in-halt',
        seq: call.seq,
        message: 'MiniportHaltEx indicates status; the stack above is gone.',
      };
    }
    if (call.fn === 'NdisMDeregisterMiniportDriver') {
      yield {
        rule: 'deregister-driver-in-halt',
        seq: call.seq,
        message: `${span.callback} calls NdisMDeregisterMiniportDriver, which belongs into MiniportDriverUnload.`,
      };
    }
  }
}

/** Undo calls in MiniportHaltEx that are not in reverse of the acquisitions, among those of hardware. */
function* order(view: TraceView, span: Span): Iterable<Violation & { rule: Id }> {
  const undone = view.holdings.filter(
    ({ acquired, undone }) =>
      ORDERED.has(acquired.type) &&
      undone !== undefined &&
      undone.callback === 'MiniportHaltEx' &&
      undone.seq > span.enter.seq &&
      undone.seq < (span.leave?.seq ?? Number.POSITIVE_INFINITY),
  );
  const inOrder = undone.toSorted((a, b) => (a.undone?.seq ?? 0) - (b.undone?.seq ?? 0));
  const wrong = inOrder.find(
    (holding, i) =>
      (inOrder[i + 1]?.acquired.seq ?? 0) > holding.acquired.seq && ORDERED.has(inOrder[i + 1]?.acquired.type ?? ''),
  );
  if (wrong === undefined || wrong.undone === undefined) return;
  yield {
    rule: 'halt-order-not-reverse',
    seq: wrong.undone.seq,
    message: `MiniportHaltEx gives ${wrong.acquired.type} back before something that was acquired after it; undo calls normally run in reverse.`,
    resource: resourceOf(wrong),
  };
}

/** What MiniportAddDevice made lives until MiniportRemoveDevice: the adapter may be initialized again in between. */
function* addDeviceContext(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const holding of view.holdings) {
    const { acquired, undone } = holding;
    if (acquired.callback !== 'MiniportAddDevice' || undone?.callback !== 'MiniportHaltEx') continue;
    yield {
      rule: 'halt-frees-add-device-context',
      seq: undone.seq,
      message: `MiniportHaltEx gives back what MiniportAddDevice acquired with ${acquired.fn}; that is MiniportRemoveDevice's to do.`,
      resource: resourceOf(holding),
      stack: undone.stack,
    };
  }
}

/** Hardware resources whose order matters to a reader; the interrupt is allowed, and asked, to go early. */
const ORDERED = new Set(['io-port-range', 'io-space', 'sg-dma', 'shared-memory', 'shared-memory-async']);

const LEAVES_RUNNING: Readonly<Record<string, Id>> = {
  MiniportHaltEx: 'halt-leaves-nic-running',
  MiniportInitializeEx: 'init-fail-leaves-nic-running',
  MiniportShutdownEx: 'shutdown-leaves-nic-running',
};

function* stillRunning(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const fact of view.facts('device-activity')) {
    const activity = fact.detail.activity as readonly string[];
    if (fact.detail.present !== true || activity.length === 0) continue;
    const after = String(fact.detail.after);
    yield {
      rule: LEAVES_RUNNING[after] ?? 'halt-leaves-nic-running',
      seq: fact.seq,
      message: `When ${after} ${after === 'MiniportInitializeEx' ? 'fails' : 'returns'} the NIC is not stopped: ${activity.join(', ')}.`,
    };
  }
}

function* synchronize(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const call of view.calls('NdisMSynchronizeWithInterruptEx', 'NdisMQueueDpc', 'NdisMQueueDpcEx')) {
    const handle = call.args.NdisInterruptHandle;
    const gone = view.holdings.find(
      ({ acquired, undone }) =>
        acquired.type === 'interrupt' && acquired.key === handle && undone !== undefined && undone.seq < call.seq,
    );
    if (gone === undefined) continue;
    yield {
      rule: 'sync-after-deregister-interrupt',
      seq: call.seq,
      message: `${call.callback ?? 'The driver'} calls ${call.fn} with an interrupt that NdisMDeregisterInterruptEx has already released.`,
      resource: resourceOf(gone),
    };
  }
}

export const halt = family(
  [
    [
      'halt-leaves-nic-running',
      'error',
      'the NIC still works when MiniportHaltEx returns',
      'N:halt-handler',
      'N:halting-a-miniport-adapter',
    ],
    [
      'init-fail-leaves-nic-running',
      'error',
      'the NIC works on when MiniportInitializeEx has failed',
      'N:halt-handler',
      'N:initializing-a-miniport-adapter',
    ],
    [
      'shutdown-leaves-nic-running',
      'error',
      'the NIC still works when MiniportShutdownEx returns',
      'I:miniport_shutdown',
    ],
    [
      'status-after-halt',
      'error',
      'status is indicated after MiniportHaltEx has returned',
      'I:ndismindicatestatusex',
      'D:ndis-ndismindicatestatusex',
    ],
    [
      'status-in-halt',
      'warning',
      'status is indicated inside MiniportHaltEx',
      'N:reporting-hardware-status',
      'N:indicating-connection-status',
    ],
    ['complete-after-halt', 'error', 'something is completed after MiniportHaltEx has returned', 'I:miniport_halt'],
    [
      'adapter-handle-after-halt',
      'error',
      'the adapter handle is used after MiniportHaltEx has returned or initialize has failed',
      'I:miniport_halt',
    ],
    [
      'deregister-driver-in-halt',
      'error',
      'the driver is deregistered from an adapter routine',
      'I:ndismderegisterminiportdriver',
    ],
    [
      'sync-after-deregister-interrupt',
      'error',
      'an interrupt is used after it was deregistered',
      'I:ndismderegisterinterruptex',
      'D:ndis-ndismderegisterinterruptex',
    ],
    [
      'halt-frees-add-device-context',
      'error',
      'MiniportHaltEx gives back what MiniportAddDevice acquired',
      'I:miniport_remove_device',
      'I:miniport_add_device',
    ],
    [
      'halt-order-not-reverse',
      'note',
      'undo calls do not run in reverse of the acquisitions',
      'N:halting-a-miniport-adapter',
      'I:miniport_halt',
    ],
  ],
  function* (view): Iterable<Violation & { rule: Id }> {
    for (const span of view.runs('MiniportHaltEx', 'MiniportInitializeEx')) {
      yield* during(view, span);
      const over = span.callback === 'MiniportHaltEx' || (span.leave !== undefined && span.leave.result !== '0x0');
      if (span.leave !== undefined && over && span.adapter !== undefined) yield* afterwards(view, span);
      if (span.callback === 'MiniportHaltEx') yield* order(view, span);
    }
    yield* addDeviceContext(view);
    yield* stillRunning(view);
    yield* synchronize(view);
  },
);
