/**
 * What MiniportInitializeEx owes when it returns, whatever it returns, and what its calls are expected to look like: contract.md
 * A1 (files, strings, configuration) and B4.
 */
import type { EventOf, Value } from '../trace/events.ts';
import { resourceOf } from './leaks.ts';
import { family, type Violation } from './rule.ts';
import type { Span, TraceView } from './view.ts';

type Id =
  | 'init-leaks-file'
  | 'init-leaks-string'
  | 'init-fail-no-error-log'
  | 'init-order-typical'
  | 'msi-without-line-handlers'
  | 'config-calls-not-serialized';
type Found = Violation & { readonly rule: Id };

const SUCCESS = '0x0';

/** Resources that end with the routine and not with the adapter. */
const OWED: Readonly<Record<string, { rule: Id; noun: string; undo: string }>> = {
  file: { rule: 'init-leaks-file', noun: 'a file', undo: 'NdisCloseFile' },
  string: { rule: 'init-leaks-string', noun: 'a string', undo: 'NdisFreeString' },
};

const within = ({ enter, leave }: Span, { seq }: { readonly seq: number }) =>
  seq > enter.seq && seq < (leave?.seq ?? Number.POSITIVE_INFINITY);

function* atReturn(view: TraceView, span: Span): Iterable<Found> {
  const { leave } = span;
  if (leave === undefined) return;
  for (const holding of view.heldAt(leave.seq)) {
    const { acquired } = holding;
    const owed = OWED[acquired.type];
    if (owed === undefined || acquired.callback !== span.callback || !within(span, acquired)) continue;
    yield {
      rule: owed.rule,
      seq: leave.seq,
      message: `MiniportInitializeEx gets ${owed.noun} from ${acquired.fn} and still has it when it returns; ${owed.undo} is missing, which is not MiniportHaltEx' to call.`,
      resource: resourceOf(holding),
    };
  }
  const refused = view
    .returns('NdisMAllocateSharedMemory')
    .find((event) => within(span, event) && event.callback === span.callback && isNull(event.result));
  const logged = view
    .calls('NdisWriteErrorLogEntry', 'NdisWriteEventLogEntry', 'IoWriteErrorLogEntry')
    .some((call) => within(span, call));
  if (leave.result !== SUCCESS && refused !== undefined && !logged) {
    yield {
      rule: 'init-fail-no-error-log',
      seq: leave.seq,
      message: 'MiniportInitializeEx fails for want of shared memory and does not say so with NdisWriteErrorLogEntry.',
    };
  }
}

/** Shared memory that was not given: a NULL in what comes back through pointers. */
function isNull(result: Value): boolean {
  const given = (result as { readonly VirtualAddress?: Value } | null)?.VirtualAddress;
  return given === '0x0' || given === 0;
}

/** What an interrupt routine usually needs: with a shared line it may be asked before its registration has even returned. */
const BEFORE_INTERRUPTS = new Set([
  ...['memory', 'pool', 'nbl-pool', 'nb-pool', 'spin-lock', 'timer-object', 'io-port-range', 'io-space'],
  ...['sg-dma', 'shared-memory', 'shared-memory-async'],
]);

function* order(view: TraceView, span: Span): Iterable<Found> {
  const own = view.of('acquire').filter((event) => within(span, event) && event.callback === span.callback);
  const interrupt = own.find(({ type }) => type === 'interrupt');
  if (interrupt === undefined) return;
  const late = own.find(({ type, seq }) => seq > interrupt.seq && BEFORE_INTERRUPTS.has(type));
  if (late === undefined) return;
  yield {
    rule: 'init-order-typical',
    seq: late.seq,
    message: `MiniportInitializeEx calls ${late.fn} after it has registered its interrupt; interrupts usually come last, because the ISR may run as soon as NdisMRegisterInterruptEx is called.`,
    stack: late.stack,
  };
}

const LINE_HANDLERS = [
  'InterruptHandler',
  'InterruptDpcHandler',
  'DisableInterruptHandler',
  'EnableInterruptHandler',
] as const;

function* lineHandlers(view: TraceView): Iterable<Found> {
  for (const call of view.calls('NdisMRegisterInterruptEx')) {
    const given = call.args.MiniportInterruptCharacteristics as Readonly<Record<string, Value>> | null;
    if (given?.MsiSupported !== true) continue;
    const missing = LINE_HANDLERS.filter((name) => given[name] === '0x0');
    if (missing.length === 0) continue;
    yield {
      rule: 'msi-without-line-handlers',
      seq: call.seq,
      message: `NdisMRegisterInterruptEx is given message handlers without ${missing.join(', ')}; where there are no messages NDIS grants a line.`,
    };
  }
}

/** Two reads or writes of the configuration that run beside each other. */
function* serialized(view: TraceView): Iterable<Found> {
  const calls = view.calls('NdisReadConfiguration', 'NdisWriteConfiguration');
  if (new Set(calls.map(({ context }) => context)).size < 2) return;
  const ends = new Map(
    view.returns('NdisReadConfiguration', 'NdisWriteConfiguration').map((event) => [event.call, event.seq]),
  );
  const endOf = ({ seq }: EventOf<'call'>) => ends.get(seq) ?? Number.POSITIVE_INFINITY;
  for (const call of calls) {
    const open = calls.find(
      (other) => other.seq < call.seq && endOf(other) > call.seq && other.context !== call.context,
    );
    if (open === undefined) continue;
    yield {
      rule: 'config-calls-not-serialized',
      seq: call.seq,
      message: `${call.callback ?? 'The driver'} calls ${call.fn} while ${open.callback ?? 'another of its routines'} is inside ${open.fn}; these calls have to come one at a time.`,
    };
  }
}

export const initializeEnd = family(
  [
    [
      'init-leaks-file',
      'error',
      'a file is still open when MiniportInitializeEx returns',
      'I:ndisopenfile',
      'I:ndisclosefile',
      'I:ndismapfile',
    ],
    [
      'init-leaks-string',
      'warning',
      'a string of NdisInitializeString is not freed when MiniportInitializeEx returns',
      'I:ndisinitializestring',
      'I:ndisfreestring',
    ],
    [
      'init-fail-no-error-log',
      'note',
      'MiniportInitializeEx fails for want of shared memory and logs nothing',
      'I:miniport_initialize',
      'D:ndis-writeerrorlog',
    ],
    [
      'init-order-typical',
      'note',
      'MiniportInitializeEx registers its interrupt before other things it needs',
      'N:initializing-a-miniport-adapter',
      'I:ndismregisterinterruptex',
    ],
    [
      'msi-without-line-handlers',
      'warning',
      'message interrupt handlers are given without the line-based ones',
      'I:ndismregisterinterruptex',
      'N:registering-and-deregistering-an-msi-interrupt',
    ],
    [
      'config-calls-not-serialized',
      'warning',
      'the configuration is read or written by two routines at once',
      'I:ndisreadconfiguration',
    ],
  ],
  function* (view): Iterable<Found> {
    for (const span of view.runs('MiniportInitializeEx')) {
      yield* atReturn(view, span);
      yield* order(view, span);
    }
    yield* lineHandlers(view);
    yield* serialized(view);
  },
);
