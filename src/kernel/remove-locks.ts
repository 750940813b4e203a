/**
 * Remove locks: a count of those who use a device, and a wait for all of them to leave. The lock lies in the driver's memory,
 * with the layout of a free build: Removed, IoCount, RemoveEvent. Pages: wdm-ioinitializeremovelock and its neighbours.
 */
import { type Address, at, hex } from '../trace/units.ts';
import { KEVENT } from './dispatcher.ts';
import type { Kernel } from './kernel.ts';
import { bool8, i32, struct } from './layout.ts';
import { D, functionsOf, IN, P, POINTER, STRING, ULONG } from './record.ts';
import { Status } from './status.ts';

export const IO_REMOVE_LOCK = struct('IO_REMOVE_LOCK', { Removed: bool8, IoCount: i32, RemoveEvent: KEVENT });

const event = (lock: Address) => at(lock, IO_REMOVE_LOCK.offset('RemoveEvent'));

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;
const releasing = { RemoveLock: IN(IO_REMOVE_LOCK), Tag: POINTER, RemlockSize: ULONG };

/** One user less; the last one lets the waiting remover go. */
function leave(kernel: Kernel, lock: { readonly address: Address; IoCount: number }): void {
  lock.IoCount--;
  if (lock.IoCount === 0) kernel.dispatcher.setEvent(event(lock.address));
  const owed = lock.IoCount >= 0;
  kernel.scheduler.ordering.publish(lock.address);
  if (owed) return;
  const detail = { lock: hex(lock.address) };
  kernel.trace.emit({ kind: 'fact', what: 'remove-lock-not-held', detail, stack: kernel.stack() });
}

export const removeLockFunctions = {
  IoInitializeRemoveLockEx: f({
    ...common,
    page: 'wdm-ioinitializeremovelock',
    params: {
      Lock: POINTER,
      AllocateTag: ULONG,
      MaxLockedMinutes: ULONG,
      HighWatermark: ULONG,
      RemlockSize: ULONG,
    },
    returns: 'void',
    irql: P,
    body({ memory, dispatcher }, { Lock }) {
      IO_REMOVE_LOCK.write(memory, Lock, { Removed: false, IoCount: 1 });
      dispatcher.initializeEvent(event(Lock), 'synchronization', false);
      return undefined;
    },
  }),
  IoAcquireRemoveLockEx: f({
    ...common,
    page: 'wdm-ioacquireremovelock',
    params: { RemoveLock: IN(IO_REMOVE_LOCK), Tag: POINTER, File: STRING, Line: ULONG, RemlockSize: ULONG },
    returns: 'status',
    irql: D,
    body(kernel, { RemoveLock }) {
      RemoveLock.IoCount++;
      if (!RemoveLock.Removed) return Status.SUCCESS;
      leave(kernel, RemoveLock);
      return Status.DELETE_PENDING;
    },
  }),
  IoReleaseRemoveLockEx: f({
    ...common,
    page: 'wdm-ioreleaseremovelock',
    params: releasing,
    returns: 'void',
    irql: D,
    body(kernel, { RemoveLock }) {
      leave(kernel, RemoveLock);
      return undefined;
    },
  }),
  IoReleaseRemoveLockAndWaitEx: f({
    ...common,
    page: 'wdm-ioreleaseremovelockandwait',
    params: releasing,
    returns: 'void',
    irql: P,
    *body(kernel, { RemoveLock }) {
      RemoveLock.Removed = true;
      RemoveLock.IoCount--;
      leave(kernel, RemoveLock);
      if (RemoveLock.IoCount > 0) yield* kernel.dispatcher.wait([event(RemoveLock.address)]);
      kernel.scheduler.ordering.observe(RemoveLock.address);
      return undefined;
    },
  }),
};
