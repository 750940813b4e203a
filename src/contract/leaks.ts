/**
 * What the driver still holds when it may hold nothing: contract.md A. One row a kind of resource; three moments of judgement:
 * MiniportHaltEx returned, MiniportInitializeEx returned a failure, the driver unloaded (or DriverEntry failed).
 */
import type { EventOf, Value } from '../trace/events.ts';
import type { FoundResource, RuleFamily, Severity, Violation } from './rule.ts';
import type { Holding, Span, TraceView } from './view.ts';

export interface Owed {
  /** Resource type, as the records give it. */
  readonly type: string;
  /** contract.md's rule for it. */
  readonly rule: string;
  readonly severity: Severity;
  /** What it is, with its article. */
  readonly noun: string;
  /** The undoing call, for the message. */
  readonly undo: string;
  readonly sources: readonly string[];
  /** Who answers for it: the adapter's halt, or the driver's unload. */
  readonly scope: 'adapter' | 'driver';
  /** Judged as `halt-leaks-late-allocation` when it was acquired after initialize. */
  readonly allocation?: boolean;
}

const adapter = (
  type: string,
  rule: string,
  noun: string,
  undo: string,
  sources: readonly string[],
  severity: Severity = 'error',
): Owed => ({
  type,
  rule,
  severity,
  noun,
  undo,
  sources,
  scope: 'adapter',
});
const allocation = (owed: Owed): Owed => ({ ...owed, allocation: true });
const driver = (
  type: string,
  rule: string,
  noun: string,
  undo: string,
  sources: readonly string[],
  severity: Severity = 'error',
): Owed => ({
  ...adapter(type, rule, noun, undo, sources, severity),
  scope: 'driver',
});

/** contract.md A1 and A2. */
export const owed: readonly Owed[] = [
  driver(
    'driver-registration',
    'unload-leaks-driver-registration',
    'the miniport driver registration',
    'NdisMDeregisterMiniportDriver',
    ['I:ndismregisterminiportdriver', 'N:unloading-a-miniport-driver'],
  ),
  driver('device-object', 'unload-leaks-device-object', 'a device object', 'NdisDeregisterDeviceEx', [
    'I:ndisregisterdeviceex',
  ]),
  allocation(
    adapter('memory', 'halt-leaks-memory', 'memory', 'NdisFreeMemory', [
      'I:ndisallocatememorywithtagpriority',
      'I:ndisfreememory',
    ]),
  ),
  adapter('adapter-instance-name', 'halt-leaks-adapter-instance-name', 'an adapter instance name', 'NdisFreeMemory', [
    'I:ndismqueryadapterinstancename',
  ]),
  allocation(
    adapter('port', 'halt-leaks-port', 'an NDIS port', 'NdisMFreePort', [
      'I:ndismallocateport',
      'N:freeing-an-ndis-port',
    ]),
  ),
  adapter(
    'default-port-active',
    'halt-leaves-default-port-active',
    'the activation of the default port',
    'NdisMNetPnPEvent with NetEventPortDeactivation',
    ['N:deactivating-an-ndis-port'],
  ),
  adapter('interrupt', 'halt-leaks-interrupt', 'an interrupt', 'NdisMDeregisterInterruptEx', [
    'I:ndismregisterinterruptex',
    'I:ndismderegisterinterruptex',
  ]),
  adapter('timer-set', 'halt-leaves-timer-set', 'a timer that is set', 'NdisCancelTimerObject', [
    'I:ndiscanceltimerobject',
    'N:halt-handler',
  ]),
  allocation(
    adapter('timer-object', 'halt-leaks-timer-object', 'a timer object', 'NdisFreeTimerObject', [
      'I:ndisallocatetimerobject',
      'I:ndisfreetimerobject',
    ]),
  ),
  adapter('sg-dma', 'halt-leaks-sg-dma', 'a scatter/gather DMA handle', 'NdisMDeregisterScatterGatherDma', [
    'I:ndismregisterscattergatherdma',
  ]),
  adapter('shared-memory', 'halt-leaks-shared-memory', 'shared memory', 'NdisMFreeSharedMemory', [
    'I:ndismallocatesharedmemory',
  ]),
  adapter(
    'shared-memory-async',
    'halt-leaks-shared-memory-async',
    'shared memory allocated asynchronously',
    'NdisMFreeSharedMemory',
    ['I:ndismallocatesharedmemoryasyncex'],
  ),
  adapter(
    'provider-shared-memory',
    'halt-leaks-provider-shared-memory',
    'shared memory of a provider',
    'NdisFreeSharedMemory',
    ['I:ndisallocatesharedmemory'],
  ),
  adapter('sg-list', 'halt-leaks-sg-list', 'a scatter/gather list', 'NdisMFreeNetBufferSGList', [
    'I:ndismallocatenetbuffersglist',
  ]),
  adapter('dma-channel', 'halt-leaks-dma-channel', 'a DMA channel', 'NdisMDeregisterDmaChannel', [
    'I:ndismregisterdmachannel',
  ]),
  adapter('io-port-range', 'halt-leaks-io-port-range', 'an I/O port range', 'NdisMDeregisterIoPortRange', [
    'I:ndismregisterioportrange',
  ]),
  adapter('io-space', 'halt-leaks-io-space', 'a mapping of device memory', 'NdisMUnmapIoSpace', ['I:ndismmapiospace']),
  allocation(
    adapter('nbl-pool', 'halt-leaks-nbl-pool', 'a NET_BUFFER_LIST pool', 'NdisFreeNetBufferListPool', [
      'B:ndisallocatenetbufferlistpool',
    ]),
  ),
  allocation(
    adapter('nb-pool', 'halt-leaks-nb-pool', 'a NET_BUFFER pool', 'NdisFreeNetBufferPool', [
      'B:ndisallocatenetbufferpool',
    ]),
  ),
  adapter('nbl', 'halt-leaks-nbl', 'a NET_BUFFER_LIST', 'NdisFreeNetBufferList', ['B:ndisallocatenetbufferlist']),
  adapter('nb', 'halt-leaks-nb', 'a NET_BUFFER', 'NdisFreeNetBuffer', ['B:ndisallocatenetbuffer']),
  adapter(
    'nbl-context',
    'halt-leaks-nbl-context',
    'context space of a NET_BUFFER_LIST',
    'NdisFreeNetBufferListContext',
    ['B:ndisallocatenetbufferlistcontext'],
  ),
  adapter('clone-nbl', 'halt-leaks-clone-nbl', 'a clone of a NET_BUFFER_LIST', 'its own NdisFree… call', [
    'B:ndisallocateclonenetbufferlist',
  ]),
  adapter(
    'data-start',
    'halt-leaks-data-start',
    'retreated data space',
    'NdisAdvanceNetBufferDataStart',
    ['B:ndisretreatnetbufferdatastart'],
    'warning',
  ),
  adapter('mdl', 'halt-leaks-mdl', 'an MDL', 'NdisFreeMdl', ['M:ndisallocatemdl']),
  adapter('config-handle', 'halt-leaks-config-handle', 'a configuration handle', 'NdisCloseConfiguration', [
    'I:ndisopenconfigurationex',
  ]),
  adapter('config-subkey', 'halt-leaks-config-subkey', 'a handle of a configuration subkey', 'NdisCloseConfiguration', [
    'I:ndisopenconfigurationkeybyname',
  ]),
  allocation(
    adapter('work-item', 'halt-leaks-work-item', 'an NDIS work item', 'NdisFreeIoWorkItem', [
      'I:ndisallocateioworkitem',
    ]),
  ),
  allocation(
    adapter('generic-object', 'halt-leaks-generic-object', 'a generic object', 'NdisFreeGenericObject', [
      'I:ndisallocategenericobject',
    ]),
  ),
  allocation(adapter('rw-lock', 'halt-leaks-rw-lock', 'a read/write lock', 'NdisFreeRWLock', ['I:ndisallocaterwlock'])),
  adapter(
    'spin-lock',
    'halt-skips-free-spin-lock',
    'a spin lock',
    'NdisFreeSpinLock',
    ['I:ndisallocatespinlock'],
    'note',
  ),
  adapter('lookaside-list', 'halt-leaks-lookaside-list', 'a lookaside list', 'NdisDeleteNPagedLookasideList', [
    'I:ndisinitializenpagedlookasidelist',
  ]),
  adapter(
    'lookaside-entry',
    'halt-leaks-lookaside-entry',
    'an entry of a lookaside list',
    'NdisFreeToNPagedLookasideList',
    ['I:ndisallocatefromnpagedlookasidelist'],
  ),
  adapter('log', 'halt-leaks-log', 'a log', 'NdisMCloseLog', ['I:ndismcreatelog']),
  adapter('virtualization', 'halt-leaks-virtualization', 'SR-IOV virtualization', 'NdisMEnableVirtualization(FALSE)', [
    'N:halting-a-pf-miniport-driver',
  ]),
  driver('if-provider', 'unload-leaks-if-provider', 'a network interface provider', 'NdisIfDeregisterProvider', [
    'I:ndisifregisterprovider',
  ]),
  adapter('if-interface', 'halt-leaks-if-interface', 'a network interface', 'NdisIfDeregisterInterface', [
    'I:ndisifregisterinterface',
  ]),
  adapter('clone-oid', 'halt-leaks-clone-oid', 'a cloned OID request', 'NdisFreeCloneOidRequest', [
    'I:ndisallocatecloneoidrequest',
  ]),

  allocation(
    adapter('pool', 'halt-leaks-pool', 'pool memory', 'ExFreePool', ['W:exallocatepool2', 'W:exfreepoolwithtag']),
  ),
  adapter(
    'ktimer',
    'halt-leaks-ktimer',
    'a kernel timer that is set',
    'KeCancelTimer (IoStopTimer for the timer of a device object)',
    ['W:kecanceltimer', 'W:iostoptimer'],
  ),
  adapter('ex-timer', 'halt-leaks-ex-timer', 'a timer of ExAllocateTimer', 'ExDeleteTimer', ['W:exdeletetimer']),
  adapter('dpc', 'halt-leaks-dpc', 'a queued DPC', 'KeRemoveQueueDpc and KeFlushQueuedDpcs', ['W:keremovequeuedpc']),
  allocation(adapter('io-work-item', 'halt-leaks-io-work-item', 'a work item', 'IoFreeWorkItem', ['W:iofreeworkitem'])),
  adapter(
    'system-thread',
    'halt-leaves-system-thread',
    'a system thread',
    'PsTerminateSystemThread, and a wait for the thread',
    ['W:pscreatesystemthread'],
  ),
  adapter('handle', 'halt-leaks-handle', 'a handle', 'ZwClose', ['W:zwclose']),
  adapter('object-reference', 'halt-leaks-object-reference', 'an object reference', 'ObDereferenceObject', [
    'W:obdereferenceobject',
  ]),
  adapter('io-mapping', 'halt-leaks-io-mapping', 'a mapping of device memory', 'MmUnmapIoSpace', ['W:mmunmapiospace']),
  allocation(
    adapter('contiguous-memory', 'halt-leaks-contiguous-memory', 'contiguous memory', 'MmFreeContiguousMemory', [
      'W:mmfreecontiguousmemory',
    ]),
  ),
  adapter('mdl-pages', 'halt-leaks-mdl-pages', 'pages of an MDL', 'MmFreePagesFromMdl', ['W:mmfreepagesfrommdl']),
  adapter('mapping', 'halt-leaks-mapping', 'a mapping of locked pages', 'MmUnmapLockedPages', [
    'W:mmmaplockedpagesspecifycache',
  ]),
  adapter('locked-pages', 'halt-leaks-locked-pages', 'locked pages', 'MmUnlockPages', ['W:mmunlockpages']),
  adapter('io-mdl', 'halt-leaks-io-mdl', 'an MDL', 'IoFreeMdl', ['W:iofreemdl']),
  adapter('irp', 'halt-leaks-irp', 'an IRP', 'IoFreeIrp', ['W:iofreeirp']),
  adapter('dma-adapter', 'halt-leaks-dma-adapter', 'a DMA adapter', 'PutDmaAdapter', ['W:pput_dma_adapter']),
  adapter('common-buffer', 'halt-leaks-common-buffer', 'a common buffer', 'FreeCommonBuffer', [
    'W:pfree_common_buffer',
  ]),
  adapter('hal-sg-list', 'halt-leaks-hal-sg-list', 'a scatter/gather list', 'PutScatterGatherList', [
    'W:pput_scatter_gather_list',
  ]),
  adapter('wdm-interrupt', 'halt-leaks-wdm-interrupt', 'an interrupt', 'IoDisconnectInterrupt', [
    'W:ioconnectinterrupt',
  ]),
  driver(
    'wdm-device',
    'unload-leaks-wdm-device',
    'a device object or symbolic link',
    'IoDeleteDevice or IoDeleteSymbolicLink',
    ['W:iodeletedevice'],
  ),
  adapter(
    'device-interface',
    'halt-leaks-device-interface',
    'an enabled device interface',
    'IoSetDeviceInterfaceState(FALSE)',
    ['W:ioregisterdeviceinterface'],
    'warning',
  ),
  adapter(
    'notification',
    'halt-leaks-notification',
    'a plug and play notification',
    'IoUnregisterPlugPlayNotificationEx',
    ['W:ioregisterplugplaynotification'],
  ),
  driver('wmi', 'unload-leaks-wmi', 'a WMI registration', 'IoWMIRegistrationControl', ['W:iowmiregistrationcontrol']),
  driver('etw', 'unload-leaks-etw', 'an ETW registration', 'EtwUnregister', ['W:etwunregister']),
  driver('callbacks', 'unload-leaks-callbacks', 'a registered callback', 'its deregistration call', [
    'W:keregisterbugcheckcallback',
  ]),
  adapter('ex-lookaside', 'halt-leaks-ex-lookaside', 'a lookaside list', 'ExDeleteNPagedLookasideList', [
    'W:exdeletenpagedlookasidelist',
  ]),
  adapter('eresource', 'halt-leaks-eresource', 'an executive resource', 'ExDeleteResourceLite', [
    'W:exinitializeresourcelite',
  ]),
  adapter('rtl-string', 'halt-leaks-rtl-string', 'a string buffer', 'RtlFreeUnicodeString', [
    'W:rtlansistringtounicodestring',
  ]),
];

const byType = new Map(owed.map((row) => [row.type, row]));

/** Lookaside lists are inlined into drivers: what they get from the pool says that it is an entry. */
const rowOf = ({ acquired: { type, detail } }: Holding) =>
  byType.get(type === 'pool' && detail.lookaside === true ? 'lookaside-entry' : type);

/** `halt-leaks-x` → `init-fail-leaks-x`. */
function initFailTwin(rule: string): string {
  return rule.replace(/^halt-/, 'init-fail-');
}

/** What only the handle of an adapter gets: none of it can be acquired for the driver as a whole. */
const OF_AN_ADAPTER = new Set([
  ...['adapter-instance-name', 'port', 'default-port-active', 'interrupt', 'sg-dma', 'shared-memory'],
  ...['shared-memory-async', 'provider-shared-memory', 'sg-list', 'dma-channel', 'io-port-range', 'io-space'],
  ...['clone-oid', 'log', 'virtualization'],
]);

/** `halt-leaks-x` → `unload-leaks-x`, for what was acquired outside any adapter; undefined where that cannot be. */
export function unloadTwin({ type, rule, scope }: Owed): string | undefined {
  if (scope === 'driver') return rule;
  return OF_AN_ADAPTER.has(type) ? undefined : rule.replace(/^halt-/, 'unload-');
}

const LATE = 'halt-leaks-late-allocation';
const REARMED = 'timer-rearmed-during-halt';

/** What became of things that were made in a routine with a rule of its own: contract.md A1, A3, B4. */
const ownRules: readonly (Omit<Owed, 'type' | 'undo' | 'scope' | 'allocation' | 'noun'> & {
  readonly title: string;
})[] = [
  {
    rule: 'remove-device-leaks-context',
    severity: 'error',
    title: 'what MiniportAddDevice acquired is still held after MiniportRemoveDevice',
    sources: ['I:miniport_add_device', 'I:miniport_remove_device'],
  },
  {
    rule: 'unload-leaks-setoptions',
    severity: 'error',
    title: 'what MiniportSetOptions acquired is still held after the driver has unloaded',
    sources: ['I:set_options', 'I:ndissetoptionalhandlers'],
  },
  {
    rule: 'unload-allocates',
    severity: 'error',
    title: 'MiniportDriverUnload allocates memory and does not free it',
    sources: ['G:bug-check-0xc4'],
  },
  {
    rule: 'driverentry-register-failed-leaks',
    severity: 'error',
    title: 'DriverEntry keeps resources though its registration failed: MiniportDriverUnload will not be called',
    sources: ['N:initializing-a-miniport-driver'],
  },
  {
    rule: REARMED,
    severity: 'error',
    title: 'a timer is set again after MiniportHaltEx has cancelled it',
    sources: ['D:ndis-canceltimerobject'],
  },
];

export function resourceOf({ acquired }: Holding): FoundResource {
  return {
    type: acquired.type,
    key: acquired.key,
    fn: acquired.fn,
    ...(acquired.callback === undefined ? {} : { callback: acquired.callback }),
    detail: acquired.detail,
    acquired: acquired.stack,
  };
}

/** In whose callbacks it was acquired: an adapter's life, or the driver's own (DriverEntry, SetOptions). */
function adapterOf(view: TraceView, { acquired }: Holding): number | undefined {
  if (byType.get(acquired.type)?.scope === 'driver') return undefined;
  // What MiniportAddDevice makes with the adapter's handle lives until MiniportRemoveDevice, whatever initialize and halt do.
  if (DRIVER_CALLBACKS.has(acquired.callback ?? '')) return undefined;
  const inits = view.runs('MiniportInitializeEx');
  const byOwner = inits.find((span) => span.adapter === acquired.owner);
  if (byOwner !== undefined) return byOwner.adapter;
  if (acquired.adapter !== undefined) return acquired.adapter;
  // A thread or work item without a callback of its own works for the adapter whose life it falls into.
  return inits.findLast((span) => span.enter.seq < acquired.seq)?.adapter;
}

const DRIVER_CALLBACKS = new Set(['DriverEntry', 'MiniportSetOptions', 'MiniportAddDevice', 'MiniportDriverUnload']);

function* judgeAdapter(view: TraceView, span: Span, failed: boolean): Iterable<Violation & { rule: string }> {
  const leave = span.leave as EventOf<'leave'>;
  const initialized = view
    .runs('MiniportInitializeEx')
    .findLast((init) => init.adapter === span.adapter && init.enter.seq < leave.seq);
  // What an earlier life of the adapter left was told at its end.
  const before = view.earlierEnd(span);
  const held = view.heldAt(leave.seq).filter(({ acquired }) => acquired.seq > before);
  for (const holding of held) {
    const row = rowOf(holding);
    if (row === undefined || row.scope !== 'adapter' || adapterOf(view, holding) !== span.adapter) continue;
    if (heldOverSleep(view, span, holding) || isConsequence(view, leave.seq, holding, held)) continue;
    if (!failed && passedOn(view, span, holding)) continue;
    const late =
      row.allocation === true &&
      !failed &&
      holding.acquired.seq > (initialized?.leave?.seq ?? Number.POSITIVE_INFINITY);
    const rearmed = !failed && row.type === 'timer-set' && wasCancelled(view, span, holding);
    const rule = failed ? initFailTwin(row.rule) : rearmed ? REARMED : late ? LATE : row.rule;
    const when = failed ? 'when MiniportInitializeEx returns a failure' : 'when MiniportHaltEx returns';
    // Memory kept for the driver's whole life and freed in Unload is a gap of the pages: contract.md X6.
    const kept = MEMORY.has(row.type) && !failed && holding.undone?.callback === 'MiniportDriverUnload';
    yield {
      rule,
      seq: leave.seq,
      message: `${where(holding)} acquires ${row.noun} with ${holding.acquired.fn} and still holds it ${when}; ${row.undo} is missing.`,
      resource: resourceOf(holding),
      ...(kept ? { severity: 'note' as const } : {}),
    };
  }
}

/** NdisHaltDevicePoweredDown, NdisHaltDeviceStopped: the adapter may be initialized again. */
const TEMPORARY = new Set<unknown>([2, 6]);

/** Kept by a halt that the driver took for temporary, and given back later: powered-down-halt-keeps-resources (lives.ts). */
export function heldOverSleep(view: TraceView, span: Span, holding: Holding): boolean {
  const { acquired, undone } = holding;
  const { callback, enter, leave } = span;
  if (callback !== 'MiniportHaltEx' || leave === undefined || !TEMPORARY.has(enter.args.HaltAction)) return false;
  if (acquired.seq > leave.seq || undone === undefined || undone.seq < leave.seq) return false;
  // A thread that comes to its end by itself was told to and not waited for.
  if (ofThread(undone.callback) && haltOf(view, undone) === undefined) return false;
  // What DriverEntry or MiniportAddDevice made outlives any halt.
  if (adapterOf(view, holding) !== span.adapter) return false;
  return byType.get(acquired.type)?.scope === 'adapter' && acquired.seq > view.earlierEnd(span);
}

const MEMORY = new Set(['memory', 'pool', 'lookaside-entry']);

/**
 * Whether it was made for all adapters: made without an adapter's handle, it outlives this halt because others live, and the
 * halt of another gives it back.
 */
function passedOn(view: TraceView, { adapter, leave }: Span, { acquired, undone }: Holding): boolean {
  const end = leave?.seq ?? 0;
  if (acquired.owner !== undefined) return false;
  if (undone === undefined) return stoppedBesideAnother(view, adapter, end);
  if (undone.seq < end) return false;
  const other = haltOf(view, undone);
  if (other === undefined || other === adapter) return false;
  return view.runs('MiniportInitializeEx').some((init) => init.adapter === other && init.enter.seq < end);
}

/** The run broke off while another adapter was living: what its halt would have given back stays open; other runs tell. */
function stoppedBesideAnother(view: TraceView, adapter: number | undefined, end: number): boolean {
  if ((view.stop?.reason ?? 'finished') === 'finished') return false;
  const halted = new Set(
    view.runs('MiniportHaltEx').map((halt) => (halt.leave === undefined ? undefined : halt.adapter)),
  );
  return view
    .runs('MiniportInitializeEx')
    .some((init) => init.adapter !== adapter && init.enter.seq < end && !halted.has(init.adapter));
}

const ofThread = (callback: string | undefined): boolean => callback === undefined || callback === 'StartRoutine';

/** The adapter whose halt something was undone in: by the halt, or by a thread meanwhile that halt has told to end. */
function haltOf(view: TraceView, { seq, callback, adapter }: NonNullable<Holding['undone']>): number | undefined {
  if (callback === 'MiniportHaltEx') return adapter;
  return ofThread(callback) ? view.during(seq, 'MiniportHaltEx')?.adapter : undefined;
}

/** Whether this routine had cancelled the timer before it was set once more, as its callback does that sets it each time. */
function wasCancelled(view: TraceView, { enter }: Span, { acquired }: Holding): boolean {
  return view
    .calls('NdisCancelTimerObject')
    .some(({ seq, args }) => seq > enter.seq && seq < acquired.seq && args.TimerObject === acquired.key);
}

/**
 * What another finding already says: a timer object that is set or whose callback is under way could not be freed, nor a work
 * item that is queued or running; a timer that was freed while set cannot be cancelled any more; and what NDIS refused to take back
 * was at least offered.
 */
function isConsequence(view: TraceView, seq: number, { acquired }: Holding, held: readonly Holding[]): boolean {
  if (view.of('undo').some(({ outcome, resource }) => outcome === 'refused' && resource === acquired.resource)) {
    return true;
  }
  if (acquired.type === 'timer-object') {
    const set = held.some(({ acquired: other }) => other.type === 'timer-set' && other.key === acquired.key);
    return (
      set || view.underWay(seq, 'timer-callback-pending', ['timer-callback-ended'], 'timer').includes(acquired.key)
    );
  }
  if (acquired.type === 'work-item' || acquired.type === 'io-work-item') {
    return view.underWay(seq, 'work-item-queued', ['work-item-finished'], 'item').includes(acquired.key);
  }
  if (acquired.type === 'timer-set')
    return view.facts('timer-freed-while-active').some(({ detail }) => detail.timer === acquired.key);
  return false;
}

function where({ acquired }: Holding): string {
  return acquired.callback ?? 'The driver';
}

/** After Unload, or after a DriverEntry that failed: everything that was not an adapter's. */
function* judgeDriver(view: TraceView): Iterable<Violation & { rule: string }> {
  const end = view.facts('unloaded')[0] ?? view.facts('driver-entry-failed')[0];
  if (end === undefined) return;
  const failed = end.what === 'driver-entry-failed';
  const held = view.heldAt(end.seq);
  for (const holding of held) {
    const row = rowOf(holding);
    if (row === undefined || adapterOf(view, holding) !== undefined) continue;
    if (isConsequence(view, end.seq, holding, held)) continue;
    const rule = (failed ? failedEntryRule(view, row) : ownRule(row, holding)) ?? driverRule(row);
    yield {
      rule,
      seq: end.seq,
      message: `${where(holding)} acquires ${row.noun} with ${holding.acquired.fn} and still holds it ${failed ? 'after DriverEntry has failed' : 'after MiniportDriverUnload'}; ${row.undo} is missing.`,
      resource: resourceOf(holding),
    };
  }
}

const driverRule = (row: Owed) => unloadTwin(row) ?? row.rule;

function failedEntryRule(view: TraceView, row: Owed): string | undefined {
  if (row.type === 'driver-registration') return 'driverentry-fails-after-register';
  const registered = view.returns('NdisMRegisterMiniportDriver').at(-1);
  const refused = registered !== undefined && statusOf(registered.result) !== '0x0';
  return refused ? 'driverentry-register-failed-leaks' : undefined;
}

const statusOf = (result: Value): Value =>
  typeof result === 'object' && result !== null && 'result' in result ? (result.result as Value) : result;

/** The rule of the routine it was acquired in, where that one has its own counterpart. */
function ownRule(row: Owed, { acquired }: Holding): string | undefined {
  if (acquired.callback === 'MiniportAddDevice') return 'remove-device-leaks-context';
  if (row.scope === 'driver') return undefined;
  if (acquired.callback === 'MiniportSetOptions') return 'unload-leaks-setoptions';
  return acquired.callback === 'MiniportDriverUnload' && MEMORY.has(row.type) ? 'unload-allocates' : undefined;
}

const meta = (id: string, row: Owed, when: string) => ({
  id,
  severity: row.severity,
  title: `${row.noun} is still held ${when}: ${row.undo} is missing`,
  sources: row.sources,
});

export const leaks: RuleFamily = {
  rules: [
    ...owed.flatMap((row) =>
      row.scope === 'driver'
        ? [meta(row.rule, row, 'after the driver has unloaded')]
        : [
            meta(row.rule, row, 'when MiniportHaltEx returns'),
            meta(initFailTwin(row.rule), row, 'when MiniportInitializeEx fails'),
            ...[unloadTwin(row)].flatMap((rule) =>
              rule === undefined ? [] : [meta(rule, row, 'after the driver has unloaded')],
            ),
          ],
    ),
    {
      id: LATE,
      severity: 'error',
      title: 'what was acquired after initialize is still held when MiniportHaltEx returns',
      sources: ['I:miniport_halt'],
    },
    ...ownRules.map(({ rule, ...rest }) => ({ id: rule, ...rest })),
    {
      id: 'driverentry-fails-after-register',
      severity: 'error',
      title: 'DriverEntry fails and leaves the miniport driver registered',
      sources: ['I:ndismregisterminiportdriver'],
    },
  ],
  *check(view) {
    for (const span of view.runs('MiniportHaltEx'))
      if (span.leave !== undefined) yield* judgeAdapter(view, span, false);
    for (const span of view.runs('MiniportInitializeEx')) {
      if (span.leave !== undefined && span.leave.result !== '0x0') yield* judgeAdapter(view, span, true);
    }
    yield* judgeDriver(view);
  },
};
