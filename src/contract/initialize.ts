/** The order of things in MiniportInitializeEx, and what may be done only there: contract.md B4. */
import { ObjectType } from '../ndis/object-header.ts';
import type { EventOf } from '../trace/events.ts';
import { family, type Violation } from './rule.ts';
import type { Span, TraceView } from './view.ts';

/** Calls that need the registration attributes first. */
const HARDWARE = [
  'NdisMRegisterIoPortRange',
  'NdisMMapIoSpace',
  'NdisMRegisterInterruptEx',
  'NdisMRegisterScatterGatherDma',
  'NdisMRegisterDmaChannel',
  'NdisMAllocatePort',
];
const NEEDS_DMA = ['NdisMAllocateSharedMemory', 'NdisMAllocateSharedMemoryAsyncEx', 'NdisMGetDmaAlignment'];
const INIT_ONLY = [
  'NdisMAllocateSharedMemory',
  'NdisMRegisterInterruptEx',
  'NdisOpenFile',
  'NdisMapFile',
  'NdisMRegisterIoPortRange',
];
/** Status codes from here on are errors; below lie successes, NDIS_STATUS_PENDING, and warnings. */
const FIRST_ERROR = 0xc000_0000;
const DOCUMENTED = ['0x0', '0x10003', '0xC000009A', '0xC0000001'];

const typeOf = (call: EventOf<'call'>) => (call.args.MiniportAttributes as { Type?: number } | null)?.Type;

type Id =
  | 'init-attributes-before-hardware'
  | 'init-attributes-order'
  | 'init-success-without-general-attributes'
  | 'init-sg-before-shared-memory'
  | 'init-only-call-elsewhere'
  | 'map-io-space-outside-init'
  | 'init-returns-undocumented-status'
  | 'status-before-registration-attributes'
  | 'memory-tag-missing';

function inside(view: TraceView, span: Span): EventOf<'call'>[] {
  const end = span.leave?.seq ?? Number.POSITIVE_INFINITY;
  return view
    .of('call')
    .filter(
      ({ seq, callback, adapter }) =>
        seq > span.enter.seq && seq < end && callback === span.callback && adapter === span.adapter,
    );
}

function* judgeInitialize(view: TraceView, span: Span): Iterable<Violation & { rule: Id }> {
  const calls = inside(view, span);
  const set = calls.filter(({ fn }) => fn === 'NdisMSetMiniportAttributes');
  const registration =
    set.find((call) => typeOf(call) === ObjectType.MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES)?.seq ??
    Number.POSITIVE_INFINITY;
  const general =
    set.find((call) => typeOf(call) === ObjectType.MINIPORT_ADAPTER_GENERAL_ATTRIBUTES)?.seq ??
    Number.POSITIVE_INFINITY;
  const early = calls.find(({ fn, seq }) => HARDWARE.includes(fn) && seq < registration);
  if (early !== undefined) {
    yield {
      rule: 'init-attributes-before-hardware',
      seq: early.seq,
      message: `MiniportInitializeEx calls ${early.fn} before it sets the registration attributes with NdisMSetMiniportAttributes.`,
    };
  }
  const status = calls.find(({ fn, seq }) => fn === 'NdisMIndicateStatusEx' && seq < registration);
  if (status !== undefined) {
    yield {
      rule: 'status-before-registration-attributes',
      seq: status.seq,
      message: 'MiniportInitializeEx indicates status before it sets the registration attributes.',
    };
  }
  const other = set.find((call) => !ORDERED.includes(typeOf(call) ?? 0) && call.seq < general);
  const disorder = general < registration ? set.find(({ seq }) => seq === general) : other;
  if (disorder !== undefined) {
    yield {
      rule: 'init-attributes-order',
      seq: disorder.seq,
      message:
        'MiniportInitializeEx sets attributes out of order: registration attributes come first, then general ones, then all others.',
    };
  }
  const shared = calls.find(({ fn }) => NEEDS_DMA.includes(fn));
  const dma = view
    .of('acquire')
    .find(({ type, seq }) => (type === 'sg-dma' || type === 'dma-channel') && seq < (shared?.seq ?? 0));
  if (shared !== undefined && dma === undefined) {
    yield {
      rule: 'init-sg-before-shared-memory',
      seq: shared.seq,
      message: `MiniportInitializeEx calls ${shared.fn} before NdisMRegisterScatterGatherDma has succeeded.`,
    };
  }
  if (span.leave === undefined) return;
  if (
    span.leave.result === '0x0' &&
    (general === Number.POSITIVE_INFINITY || registration === Number.POSITIVE_INFINITY)
  ) {
    yield {
      rule: 'init-success-without-general-attributes',
      seq: span.leave.seq,
      message: 'MiniportInitializeEx succeeds without having set both registration and general attributes.',
    };
  }
  const result = String(span.leave.result);
  if (!DOCUMENTED.includes(result)) {
    yield {
      rule: 'init-returns-undocumented-status',
      seq: span.leave.seq,
      // Microsoft's own sample passes on what its calls gave it: to NDIS, any error is a failed initialize.
      ...(Number(result) >= FIRST_ERROR ? { severity: 'note' as const } : {}),
      message: `MiniportInitializeEx returns ${result}; documented are NDIS_STATUS_SUCCESS, NOT_ACCEPTED, RESOURCES and FAILURE.`,
    };
  }
}

const ORDERED: readonly number[] = [
  ObjectType.MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  ObjectType.MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
];

/** NDIS routines in which an acquisition of INIT_ONLY is out of place; threads and work items of initialize are not judged. */
const ELSEWHERE = /^Miniport(?!InitializeEx$|AddDevice$)/;

export const initialize = family(
  [
    [
      'init-attributes-before-hardware',
      'error',
      'hardware resources are claimed before the registration attributes are set',
      'I:miniport_initialize',
      'I:ndismsetminiportattributes',
    ],
    ['init-attributes-order', 'error', 'attributes are set out of order', 'I:miniport_initialize'],
    [
      'init-success-without-general-attributes',
      'error',
      'MiniportInitializeEx succeeds without general attributes',
      'I:miniport_initialize',
      'N:initializing-a-miniport-adapter',
    ],
    [
      'init-sg-before-shared-memory',
      'error',
      'shared memory is allocated before scatter/gather DMA is registered',
      'I:miniport_initialize',
    ],
    [
      'init-only-call-elsewhere',
      'error',
      'a call that belongs into MiniportInitializeEx is made elsewhere',
      'I:ndismallocatesharedmemory',
      'D:ndis-ndismregisterioportrange',
    ],
    [
      'map-io-space-outside-init',
      'error',
      'NdisMMapIoSpace is called outside MiniportInitializeEx, or for what is no device',
      'D:ndis-ndismmapiospace',
      'I:ndismmapiospace',
    ],
    [
      'init-returns-undocumented-status',
      'warning',
      'MiniportInitializeEx returns a status it may not return',
      'I:miniport_initialize',
    ],
    [
      'status-before-registration-attributes',
      'error',
      'status is indicated before the registration attributes are set',
      'I:ndismindicatestatusex',
    ],
    ['memory-tag-missing', 'warning', 'memory is allocated with tag 0', 'D:ndis-ndisallocatememorywithtagpriority'],
  ],
  function* (view): Iterable<Violation & { rule: Id }> {
    for (const span of view.runs('MiniportInitializeEx')) yield* judgeInitialize(view, span);
    for (const call of view.calls(...INIT_ONLY, 'NdisMMapIoSpace')) {
      if (!ELSEWHERE.test(call.callback ?? '')) continue;
      yield {
        rule: call.fn === 'NdisMMapIoSpace' ? 'map-io-space-outside-init' : 'init-only-call-elsewhere',
        seq: call.seq,
        message: `${call.callback} calls ${call.fn}, which belongs into MiniportInitializeEx.`,
      };
    }
    for (const call of view.calls('NdisAllocateMemoryWithTagPriority')) {
      if (call.args.Tag === 0) {
        yield {
          rule: 'memory-tag-missing',
          seq: call.seq,
          message: `${call.callback ?? 'The driver'} calls NdisAllocateMemoryWithTagPriority with tag 0.`,
        };
      }
    }
  },
);
