/**
 * The corpus: miniports with one seeded bug each, and the clean drivers they were seeded in. A driver in C lies in c/built/, made
 * from c/<shape>.c; a seed is a name that is defined when the shape is built once more (docs/corpus.md). Miniports in TypeScript
 * are made from typescript/kinds.ts, one thing that is held each; the samples' twins are those that lie in samples/.
 */
import { readdirSync } from 'node:fs';
import type { DeviceFactory } from '../../src/devices/registry.ts';
import type { Miniport } from '../../src/machine/miniport.ts';
import { holder, type Kind, type Seed as Place } from './typescript/holder.ts';
import { kinds } from './typescript/kinds.ts';

/** What a check of the driver must report: these rules and none beside them (notes do not count), or nothing. */
export type Expected = readonly [string, ...string[]] | 'clean';

export interface Case {
  readonly name: string;
  /** Path of the driver from this folder, or the miniport itself. */
  readonly driver: string | Miniport;
  readonly expect: Expected;
  /** Bundled device model, or one of the case's own; undefined: a driver without hardware. */
  readonly device?: 'sample-nic' | DeviceFactory;
  /** Values of the adapter's registry key, as its INF would give them. */
  readonly values?: Readonly<Record<string, string | number>>;
  /** The bug in a sentence; of a clean driver, its shape. */
  readonly note: string;
  /** Why haltex does not find it yet. Told by the bench, but no failure. */
  readonly pending?: string;
  /** It shows in another order of what runs beside halt only. */
  readonly race?: boolean;
  /** Rules that the same bug breaks in some order of things: neither missed nor false. */
  readonly also?: readonly string[];
  /** Played until it is found; whether anything else is reported is for the tests of the samples. */
  readonly untilFound?: true;
}

interface Seed {
  readonly expect: Expected;
  readonly note: string;
  readonly pending?: string;
  readonly race?: boolean;
  readonly also?: readonly string[];
}

interface Shape {
  readonly note: string;
  readonly device?: 'sample-nic';
  readonly values?: Readonly<Record<string, string | number>>;
  readonly pending?: string;
  readonly seeds: Readonly<Record<string, Seed>>;
}

const seed = (rules: string | [string, ...string[]], note: string, pending?: string): Seed => ({
  expect: typeof rules === 'string' ? [rules] : rules,
  note,
  ...(pending === undefined ? {} : { pending }),
});

/** A bug that only another order of what runs beside halt shows; what is freed under whom depends on the order. */
const race = (...given: Parameters<typeof seed>): Seed => ({
  ...seed(...given),
  race: true,
  also: [
    'memory-use-after-free',
    'free-without-waiting',
    'halt-frees-context-early',
    'driver-bugcheck',
    'halt-returns-with-async-work',
    'halt-leaks-memory',
    'halt-leaks-nb-pool',
  ],
});

const shapes: Readonly<Record<string, Shape>> = {
  ladder: {
    note: 'goto ladder; rings in shared memory, zero-copy receive, a poll timer only with the line interrupt',
    device: 'sample-nic',
    seeds: {
      'wrong-label': seed(
        'init-fail-leaks-shared-memory',
        'when the interrupt cannot be registered the ladder is entered one label too late',
      ),
      'line-timer': seed(
        'halt-leaks-timer-object',
        'halt cancels the timer that only the line interrupt needs, but does not free it',
      ),
      'line-only-path': seed(
        'init-fail-leaks-interrupt',
        'with the line interrupt, a timer that cannot be allocated leaves the interrupt registered',
      ),
      'slot-length': seed('shared-memory-free-mismatch', 'slots are freed with the length of a frame, not of a slot'),
      'failing-slot': seed(
        ['init-fail-leaks-shared-memory', 'init-fail-leaks-mdl'],
        'the slot whose MDL or list failed keeps its shared memory: only those before it are freed',
      ),
      'late-deregister': seed(
        'halt-deregisters-interrupt-late',
        'halt frees the rings before it deregisters the interrupt that works on them',
      ),
    },
  },
  nested: {
    note: 'a pyramid of ifs; port range, registers, line interrupt, a one-shot timer armed by the DPC',
    device: 'sample-nic',
    seeds: {
      'inner-else': seed(
        'init-fail-leaks-io-space',
        'only the else of a timer that cannot be allocated forgets to unmap the registers',
      ),
      'speed-range': seed(
        'init-fail-leaks-config-handle',
        'a setting that is out of range returns with the configuration open',
      ),
      'map-length': seed('io-space-mismatch', 'halt unmaps up to the last register used, not what was mapped'),
      'port-count': seed(
        'io-port-range-mismatch',
        'halt deregisters up to the last port used, not what was registered',
      ),
      'cancel-is-enough': seed(
        ['halt-returns-with-timer-callback', 'timer-freed-while-active'],
        'halt does not wait when the one-shot timer can no longer be cancelled',
      ),
    },
  },
  flags: {
    note: 'a bit for each thing acquired, one teardown; periodic timer that queues a work item',
    seeds: {
      'same-bit': seed(
        ['halt-leaks-rw-lock', 'undo-without-acquire'],
        'two bits have one value: undoing the one forgets the other',
      ),
      'else-if': seed(
        'halt-leaks-nb-pool',
        'an else too many: the NET_BUFFER pool is freed only where there is no list pool',
      ),
      'bit-before-call': seed('undo-without-acquire', 'the bit is set before the timer object is allocated'),
      'bit-cleared': seed(
        'init-fail-leaks-work-item',
        'when the lock cannot be allocated the bit of the work item is cleared',
      ),
      'entry-kept': seed(
        'halt-leaks-lookaside-entry',
        'every other descriptor is not given back to its lookaside list',
      ),
    },
  },
  helper: {
    note: 'one FreeAdapter for halt and for a failing initialize',
    device: 'sample-nic',
    seeds: {
      'early-return': seed(
        ['init-fail-leaks-memory', 'init-fail-leaks-nbl-pool'],
        'FreeAdapter returns early when the registers were never mapped',
      ),
      'helped-twice': seed('memory-double-free', 'the step that failed frees the table, and FreeAdapter does again'),
      'bar-forgotten': seed(
        'init-fail-leaks-io-space',
        'a board that does not come out of reset stays mapped: its address is forgotten',
      ),
    },
  },
  raii: {
    note: 'C++: resources are objects, destroyed in reverse; virtual channels built in place',
    device: 'sample-nic',
    seeds: {
      'not-virtual': seed(
        ['halt-leaks-memory', 'halt-leaks-nbl-pool'],
        'the base class’ destructor is not virtual, so what the channels own stays',
      ),
      'copied-owner': seed('memory-double-free', 'an owner of memory is passed by value, so two objects free it'),
      'assign-over': seed('halt-leaks-memory', 'move assignment does not free what the target owned'),
      'released-early': seed(
        'init-fail-leaks-memory',
        'the adapter’s memory is let go of before initialize is known to have succeeded',
      ),
    },
  },
  guard: {
    note: 'C++: scope guards in initialize, by hand in halt',
    seeds: {
      'dismissed-early': seed('init-fail-leaks-nbl-pool', 'one guard is dismissed before the last step that can fail'),
      'wrong-capture': seed('init-fail-leaks-memory', 'a guard captures the pointer by value before it is set'),
      'waits-first': race(
        'work-item-freed-while-queued',
        'halt waits for the work item before it stops the timer that queues it',
      ),
    },
  },
  table: {
    note: 'a table of steps with their undos, walked down and up',
    seeds: {
      'off-by-one': seed(
        ['init-fail-leaks-memory', 'init-fail-leaks-nbl-pool', 'init-fail-leaks-eresource', 'init-fail-leaks-rw-lock'],
        'the step before the failing one is not undone',
      ),
      'step-half-done': seed(
        ['init-fail-leaks-mdl', 'init-fail-leaks-nbl'],
        'a step that fails half way does not undo its first half',
      ),
      'unused-list': seed(
        ['halt-leaks-ex-lookaside'],
        'a lookaside list from which nothing was ever taken is not deleted',
      ),
      forwards: seed('pool-freed-before-members', 'the undos are called in the order of the steps'),
    },
  },
  deferred: {
    note: 'halt queues a work item that frees, and waits for it',
    seeds: {
      'signals-first': race('halt-returns-with-async-work', 'the work item signals before it frees'),
      'fail-by-work-item': seed(
        ['init-fail-leaks-memory', 'init-fail-leaks-nb-pool'],
        'a failing initialize frees nothing when it is the work item that could not be allocated',
      ),
      'waits-a-second': seed('halt-returns-with-async-work', 'halt waits for the work item for a second only'),
    },
  },
  refcount: {
    note: 'a reference-counted context, OIDs answered from a work item, a one-shot timer that holds a reference',
    seeds: {
      'list-replaced': seed(
        'halt-leaks-late-allocation',
        'an empty multicast list replaces the old one without freeing it',
      ),
      'reference-on-error': seed('halt-hang', 'the path on which an OID fails for want of memory keeps its reference'),
      'cancel-takes-it': seed(
        ['timer-freed-while-active', 'halt-returns-with-timer-callback'],
        'the timer’s reference is released though its callback is on its way',
      ),
    },
  },
  buflist: {
    note: 'NDIS 6.0; a linked list of small allocations with MDLs and lists; receives from a timer',
    seeds: {
      'linked-at-the-end': seed(
        ['init-fail-leaks-memory', 'init-fail-leaks-mdl'],
        'a buffer is put on the list only when it is complete, so one that fails half way is lost',
      ),
      'next-after-free': seed('memory-use-after-free', 'the list is walked through entries that were just freed'),
      'data-with-mdl': seed('halt-leaks-memory', 'a buffer’s data is freed only where it has no MDL'),
      'pool-first': seed('pool-freed-before-members', 'the pool is freed before its lists'),
      'timer-still-set': seed('timer-freed-while-active', 'the periodic timer’s object is freed without a cancel'),
      'fewer-will-do': seed(
        ['halt-leaks-memory', 'halt-leaks-mdl', 'halt-leaks-nbl'],
        'initialize goes on with fewer buffers and forgets the half-made one',
      ),
      'pause-does-not-wait': seed(
        'pause-completes-before-nbls-returned',
        'pause closes the gate but does not wait for indicated frames',
      ),
    },
  },
  wdm: {
    note: 'NDIS 6.0 with a WDM edge: kernel pool, work item, timer with DPC, system thread, register mapping',
    device: 'sample-nic',
    seeds: {
      'thread-without-object': seed(
        'init-fail-leaves-system-thread',
        'when the thread object cannot be referenced, the thread is told to stop but not awaited',
      ),
      'thread-handle': seed('halt-leaks-handle', 'the thread’s handle is closed only on the failing path'),
      'thread-not-awaited': race(
        'halt-leaves-system-thread',
        'halt gives the thread a millisecond instead of waiting for it',
      ),
      'thread-reference': seed(
        'halt-leaks-object-reference',
        'halt waits for the thread object and keeps its reference',
      ),
      'work-item-on-failure': seed('init-fail-leaks-io-work-item', 'a label of the ladder does not free the work item'),
      'surprise-leaves': seed(
        'halt-leaks-io-mapping',
        'halt after a surprise removal skips the mappings: there is nothing left to talk to',
      ),
      'timer-runs': {
        ...seed('halt-leaks-ktimer', 'halt flushes DPCs but never cancels the periodic timer'),
        also: ['memory-use-after-free'],
      },
      'no-flush': race('halt-leaks-dpc', 'halt cancels the timer but does not flush its DPC'),
      'second-view': seed('halt-leaks-io-mapping', 'the second mapping of the registers is not unmapped'),
      'wrong-tag': seed('free-memory-bad-args', 'pool is freed with another tag than it was allocated with'),
      samples: seed('halt-leaks-pool', 'samples are freed only when none was taken'),
    },
  },
  control: {
    note: 'a control device made by the first adapter and taken away with the last',
    seeds: {
      'stays-on-list': seed('halt-then-reinit-stale-state', 'halt frees an adapter that stays on the driver’s list'),
      'first-halt': seed('halt-frees-driver-scope', 'the halt of any adapter takes the control device away'),
      'counted-failure': seed(
        'unload-leaks-device-object',
        'an adapter whose initialize fails late stays counted, so the device is never deregistered',
      ),
    },
  },
  adddevice: {
    note: 'MiniportAddDevice makes a context that outlives halt',
    seeds: {
      'attributes-fail': seed(
        'remove-device-leaks-context',
        'AddDevice frees the context but not what it points to when its attributes are refused',
      ),
      'never-started': seed(
        'remove-device-leaks-context',
        'RemoveDevice frees everything only of a device that was started once',
      ),
      'failed-start': seed(
        ['memory-double-free', 'halt-then-reinit-stale-state'],
        'a failing initialize frees what RemoveDevice frees, too',
      ),
      'halt-frees': seed('halt-frees-add-device-context', 'halt frees what RemoveDevice frees, too'),
    },
  },
  line: {
    note: 'NDIS 6.0; line interrupt only, ports, a hardware tick',
    device: 'sample-nic',
    seeds: {
      'claims-all': seed('isr-claims-foreign-interrupt', 'the ISR returns TRUE for every interrupt on the shared line'),
      'ports-left': seed(
        'init-fail-leaks-io-port-range',
        'when the registers cannot be mapped the ports stay registered',
      ),
      'tick-goes-on': seed('halt-leaves-nic-running', 'halt masks interrupts and leaves the tick running'),
      'wake-armed': seed('halt-leaves-nic-running', 'halt leaves wake-up armed'),
      'last-led': seed('io-access-after-unmap', 'the LED is switched off after the ports were deregistered'),
      'sync-late': seed('sync-after-deregister-interrupt', 'halt synchronizes with an interrupt it has deregistered'),
    },
  },
  msi: {
    note: 'MSI only, a line interrupt is refused; a block of memory for each message',
    device: 'sample-nic',
    seeds: {
      'line-refused': seed('init-fail-leaks-interrupt', 'refuses the line interrupt without deregistering it'),
      'one-short': seed('halt-leaks-memory', 'the last message’s block is not freed'),
      'vectors-before': seed('init-fail-leaks-memory', 'when one block cannot be allocated those before it stay'),
      accepted: seed(
        ['init-fail-leaks-memory', 'init-fail-leaks-io-space'],
        'takes NOT_ACCEPTED for no error, because its severity says so, and undoes nothing',
      ),
      'handle-cleared': seed(
        ['halt-leaks-interrupt'],
        'the interrupt’s handle is cleared before it is used to deregister',
      ),
      'shutdown-leaves': seed('shutdown-leaves-nic-running', 'the shutdown handler does nothing'),
    },
  },
  sglist: {
    note: 'sends by scatter/gather list, completed by the interrupt; a block of shared memory that arrives late',
    device: 'sample-nic',
    seeds: {
      'ring-full': seed('halt-leaks-sg-list', 'a list that does not fit into the ring is not freed'),
      'sg-skipped': seed('halt-leaks-sg-list', 'the lists of the shortest frames are not freed'),
      'late-forgotten': seed('halt-leaks-shared-memory-async', 'the block that arrives late is never freed'),
      'late-not-awaited': seed(
        'shared-memory-async-pending-at-halt',
        'nobody waits for the block that is still to come',
      ),
      'late-by-pointer': seed(
        'shared-memory-free-mismatch',
        'the late block is freed with the physical address of the rings',
      ),
      'statistics-too': seed('undo-without-acquire', 'part of a block is freed by itself'),
      'dma-left': seed(
        'init-fail-leaks-sg-dma',
        'a label too far: DMA stays registered when the rings cannot be allocated',
      ),
      'dma-first': seed('dma-use-after-deregister', 'DMA is deregistered before the memory made with it is freed'),
    },
  },
  registry: {
    note: 'configuration, subkey, registry key, instance name, string, log',
    seeds: {
      subkey: seed('halt-leaks-config-subkey', 'a subkey without the value is left open'),
      'address-missing': seed(
        'halt-leaks-config-handle',
        'the configuration stays open where no network address is set',
      ),
      'value-after-close': seed(
        'config-value-used-after-close',
        'the network address is copied after the configuration was closed',
      ),
      key: seed('halt-leaks-handle', 'the driver’s key is closed only where the value is there'),
      'log-on-failure': seed('init-fail-leaks-log', 'the last step’s failure leaves the log open'),
      log: seed('halt-leaks-log', 'halt does not close the log'),
      description: seed('halt-leaks-rtl-string', 'halt does not free the string'),
      'instance-name': seed('halt-leaks-adapter-instance-name', 'halt does not free the instance name'),
      path: seed('unload-leaks-pool', 'unload does not free the copy of the registry path'),
      'entry-fails': seed(
        'driverentry-register-failed-leaks',
        'DriverEntry does not free the copy of the registry path when NDIS refuses the driver',
      ),
    },
  },
  mdls: {
    note: 'contiguous memory, pages with a mapping, a described buffer, locked pages, an IRP',
    seeds: {
      'irp-by-pool': seed(['halt-leaks-irp', 'free-memory-bad-args'], 'the IRP is freed as pool'),
      irp: seed('halt-leaks-irp', 'the IRP is not freed'),
      'still-locked': seed('halt-leaks-locked-pages', 'the MDL is freed with its pages locked'),
      'ndis-frees-mdl': seed(
        ['undo-without-acquire', 'halt-leaks-io-mdl'],
        'an MDL of IoAllocateMdl is given to NdisFreeMdl',
      ),
      'buffer-mdl': seed('halt-leaks-io-mdl', 'the MDL that describes the buffer is not freed'),
      mapping: seed('halt-leaks-mapping', 'the pages are freed while they are mapped'),
      pages: seed('halt-leaks-mdl-pages', 'the MDL is freed, its pages are not'),
      'mdl-of-pages': seed('halt-leaks-pool', 'the pages are freed, their MDL is not'),
      contiguous: seed('halt-leaks-contiguous-memory', 'contiguous memory is freed only where there are no pages'),
      'lock-raises': seed(
        'init-fail-leaks-io-mdl',
        'the handler of the exception that locking raises does not free the MDL',
      ),
      'fewer-pages': seed(
        ['init-fail-leaks-mdl-pages', 'init-fail-leaks-pool'],
        'when there are fewer pages than asked for, they are forgotten',
      ),
    },
  },
  services: {
    note: 'trace provider, bug check record, notification, device interface, kernel timer, generic object',
    seeds: {
      object: seed('halt-leaks-generic-object', 'the generic object is not freed'),
      'timer-cancelled': seed('halt-leaks-ex-timer', 'the timer is cancelled, not deleted'),
      'interface-on': seed('halt-leaks-device-interface', 'the device interface stays enabled'),
      notification: seed('halt-leaks-notification', 'the notification stays registered'),
      'bug-check-record': seed('unload-leaks-callbacks', 'unload leaves the bug check record registered'),
      trace: seed('unload-leaks-etw', 'unload leaves the trace provider registered'),
      'trace-on-failure': seed(
        'driverentry-register-failed-leaks',
        'DriverEntry leaves the trace provider registered when NDIS refuses the driver',
      ),
      'stays-registered': seed(
        'driverentry-fails-after-register',
        'DriverEntry fails after NDIS has accepted the driver, and does not take it back',
      ),
    },
  },
  hang: {
    note: 'check-for-hang, a reset that a work item does',
    device: 'sample-nic',
    seeds: {
      'resets-the-dead': seed(
        'halt-leaks-late-allocation',
        'a board that is gone looks hung, and its reset, which fails, forgets the shadow registers',
      ),
      'shadow-replaced': seed(
        'halt-leaks-late-allocation',
        'each reset forgets the shadow registers of the one before',
      ),
      'shadow-kept': seed(
        'halt-leaks-late-allocation',
        'halt does not free the shadow registers that a reset allocated',
      ),
      'reset-not-awaited': race('halt-returns-with-async-work', 'halt does not wait for a reset under way'),
      'spins-when-gone': seed(
        ['halt-hang', 'halt-touches-removed-hardware'],
        'halt polls a register that reads all ones once the board is gone',
      ),
      'no-reset': seed('reg-hang-without-reset', 'check-for-hang is registered, reset is not'),
    },
  },
  power: {
    note: 'NDIS 6.40; stays initialized over sleep, D3 and back',
    device: 'sample-nic',
    seeds: {
      'watch-in-d3': seed(
        ['hw-access-in-d3', 'lowpower-timers-not-cancelled'],
        'the periodic timer goes on reading registers in D3',
      ),
      'saved-each-time': seed('halt-leaks-memory', 'each way to D3 allocates the saved registers anew'),
      'refuses-power': seed(
        ['oid-must-succeed-failed', 'hw-access-in-d3'],
        'OID_PNP_SET_POWER is refused while the adapter runs',
      ),
      'stop-keeps': seed('halt-leaks-memory', 'halt keeps the saved registers when the adapter is only stopped'),
      'halt-in-d3': seed('hw-access-in-d3', 'halt stops a board that is in D3'),
    },
  },
  shared: {
    note: 'NDIS 6.1; globals shared by all adapters, made by the first and freed with the last',
    seeds: {
      'any-halt-frees': seed('halt-frees-driver-scope', 'the halt of any adapter frees what all of them use'),
      'never-zero': seed('halt-leaks-pool', 'the shared table is not freed with its last user'),
      'stale-pool': seed(
        ['halt-then-reinit-stale-state', 'halt-frees-driver-scope'],
        'a global keeps pointing to memory that halt has freed, and the next initialize uses it',
      ),
      'leaves-not': seed('init-fail-leaks-pool', 'an initialize that fails late stays a user of the shared table'),
      deregisters: seed(['deregister-driver-in-halt', 'undo-without-acquire'], 'the last halt deregisters the driver'),
      'unload-forgets': seed('unload-leaks-driver-registration', 'unload does not deregister the driver'),
    },
  },
  vnic: {
    note: 'NDIS 6.50; one struct; sends come back as clones from a one-shot timer; pause pends',
    seeds: {
      'context-kept': seed('halt-leaks-nbl-context', 'a clone is freed with the context allocated for it'),
      'clone-as-list': seed('undo-mismatch', 'a clone is freed as if it were an ordinary list'),
      'delivers-while-paused': seed(
        ['pause-completes-before-nbls-returned', 'receive-indicated-while-paused'],
        'pause does not wait for clones that are still queued, and they are indicated all the same',
      ),
      'clone-without-context': seed('halt-leaks-clone-nbl', 'a clone whose context cannot be allocated is lost'),
      'takes-while-paused': seed('send-not-rejected-while-paused', 'while paused, sends are completed with success'),
      'pause-never': seed('pause-hang', 'a pause that has to wait is never completed'),
      'one-check': seed('undo-without-acquire', 'of two pools, only the first is checked'),
      'timer-object': seed('halt-leaks-timer-object', 'the timer is cancelled, its object is not freed'),
      'wrote-all': seed('oid-bytes-written-overrun', 'a query that did not fit reports as written what it needs'),
      'no-halt-handler': seed('reg-missing-required-handler', 'MiniportHaltEx is not registered'),
    },
  },
  sendq: {
    note: 'NDIS 6.20; sends wait in a queue for a one-shot timer and may be cancelled there; one receive buffer, only lent',
    seeds: {
      'left-queued': seed('pause-completes-before-nbls-returned', 'pause leaves what is queued in the queue'),
      'cancel-loses': seed(
        'pause-completes-before-nbls-returned',
        'what is cancelled leaves the queue and is never completed',
      ),
      'says-dispatch': seed('irql-flag-mismatch', 'sends are completed as at DISPATCH_LEVEL wherever that happens'),
      'receives-paused': seed('receive-indicated-while-paused', 'the receive timer does not look whether it is paused'),
      'kept-list': seed('halt-leaks-nbl', 'the receive buffer’s list is not freed before its pool'),
    },
  },
  ports: {
    note: 'two NDIS ports of its own and the default port',
    seeds: {
      'default-stays': seed('halt-leaves-default-port-active', 'the default port is never deactivated'),
      'freed-active': seed('port-free-active', 'the first port is freed while it is active'),
      'only-active': seed('init-fail-leaks-port', 'ports that are not active yet are not freed'),
      'default-freed': seed('port-free-default', 'the default port is freed as if it were the driver’s'),
    },
  },
};

const inC: readonly Case[] = Object.entries(shapes).flatMap(([shape, { seeds, note, pending, ...machine }]) => [
  {
    name: shape,
    driver: `c/built/${shape}.sys`,
    expect: 'clean' as const,
    note,
    ...machine,
    ...(pending === undefined ? {} : { pending }),
  },
  ...Object.entries(seeds).map(([name, rest]) => ({
    name: `${shape}-${name}`,
    driver: `c/built/${shape}-${name}.sys`,
    ...machine,
    ...(pending === undefined ? {} : { pending }),
    ...rest,
  })),
]);

/** The rule that forgetting a kind there breaks. */
const ruleAt = ({ rule }: Kind, place: Place) =>
  place === 'halt' ? rule : rule.replace(/^halt-/, place === 'unload' ? 'unload-' : 'init-fail-');

const where: Readonly<Record<Place, string>> = {
  halt: 'halt forgets it',
  initialize: 'an initialize that fails behind it forgets it',
  unload: 'the driver has it, and unload forgets it',
};

/** One thing of each kind, held by an adapter or by the driver, and forgotten in each place where it must be given back. */
const held: readonly Case[] = kinds.flatMap((kind): Case[] => {
  const { name, only, device } = kind;
  const machine = device === undefined ? {} : { device };
  const whose = (['adapter', 'driver'] as const).filter((one) => only === undefined || only === one);
  const places: readonly Place[] = whose.flatMap((one): Place[] =>
    one === 'adapter' ? ['halt', 'initialize'] : ['unload'],
  );
  return [
    ...whose.map((one) => ({
      name: `${name}-of-${one}`,
      driver: holder(kind, one),
      ...machine,
      expect: 'clean' as const,
      note: `one ${name}, held by the ${one}`,
    })),
    ...places.map((place) => ({
      name: `${name}-at-${place}`,
      driver: holder(kind, place === 'unload' ? 'driver' : 'adapter', place),
      ...machine,
      expect: [ruleAt(kind, place)] as const,
      note: `one ${name}: ${where[place]}`,
    })),
  ];
});

const samples = new URL('../../samples/', import.meta.url);
const inFolder = (folder: string) => readdirSync(new URL(folder, samples)).toSorted();

/** The samples' twins and pairs, as they lie there; each is named by the rule it breaks. */
const twins: readonly Case[] = [
  ...inFolder('c/broken').map((rule) => [rule, `c/broken/${rule}/${rule}.sys`] as const),
  ...inFolder('typescript/broken').map((file) => [file.replace(/\.ts$/, ''), `typescript/broken/${file}`] as const),
  ...inFolder('typescript/rules')
    .filter((rule) => !rule.endsWith('.ts'))
    .map((rule) => [rule, `typescript/rules/${rule}/broken.ts`] as const),
].map(([rule, path]) => ({
  name: `samples/${path}`,
  driver: `../../samples/${path}`,
  device: 'sample-nic',
  expect: [rule],
  note: `the samples' twin that breaks ${rule}`,
  untilFound: true,
  // accesses to memory are watched in the search for races only
  ...(rule === 'free-without-waiting' ? { race: true } : {}),
}));

export const cases: readonly Case[] = [...inC, ...held, ...twins];

const cannot = 'nothing on this machine gives one: its record always fails';
const device = 'it is made with the device of an adapter, so the driver as a whole has none';
const later = 'no case yet';

/** The rules about what is left behind that no case breaks, and why. */
export const withoutCase: Readonly<Record<string, string>> = {
  'halt-leaks-dma-channel': cannot,
  'init-fail-leaks-dma-channel': cannot,
  'unload-leaks-config-handle': 'no INF here makes the driver a Parameters key to open',
  'unload-leaks-config-subkey': 'the same',
  'unload-leaks-device-interface': device,
  'unload-leaks-io-mapping': device,
  'unload-leaks-io-work-item': device,
  'unload-leaks-wdm-interrupt': device,
  'unload-leaks-dpc': 'a DPC that DriverEntry queues has long run when the driver unloads',
  'init-fail-leaks-dpc': 'a race: the DPC has to be late just when initialize fails',
  'halt-leaks-wdm-interrupt': later,
  'init-fail-leaks-wdm-interrupt': later,
  'init-fail-leaks-io-mapping': later,
  'init-fail-leaks-sg-list': later,
  'init-fail-leaks-shared-memory-async': later,
  'init-fail-leaves-default-port-active': later,
  'unload-leaks-setoptions': later,
  'unload-leaves-system-thread': later,
};
