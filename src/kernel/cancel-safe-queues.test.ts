import { describe, expect, it } from 'vitest';
import { type Address, NULL } from '../trace/units.ts';
import { IO_CSQ } from './cancel-safe-queues.ts';
import { Major } from './io-structures.ts';
import { IO_REMOVE_LOCK } from './remove-locks.ts';
import { Status } from './status.ts';
import { testKernel } from './testing.ts';

type Named = { Csq: Address; Irp: Address };

describe('cancel-safe queues', () => {
  it('give packets out in order, and take a cancelled one out by themselves', () => {
    const { kernel, wdk, run } = testKernel();
    const { memory, irps } = kernel;
    const csq = kernel.heap.allocate(IO_CSQ.size, 'IO_CSQ', { fill: 0 });
    const lock = kernel.heap.allocate(8, 'KSPIN_LOCK', { fill: 0 });
    const queue: Address[] = [];
    const canceled: Address[] = [];
    run(function* () {
      yield* wdk.IoCsqInitialize({
        Csq: csq,
        CsqInsertIrp: ({ Irp }: Named) => queue.push(Irp),
        CsqRemoveIrp: ({ Irp }: Named) => queue.splice(queue.indexOf(Irp), 1),
        CsqPeekNextIrp: ({ Irp }: Named) => queue[Irp === NULL ? 0 : queue.indexOf(Irp) + 1] ?? NULL,
        *CsqAcquireLock({ Irql }: { Irql: Address }) {
          memory.writeU8(Irql, yield* wdk.KeAcquireSpinLockRaiseToDpc({ SpinLock: lock }));
        },
        *CsqReleaseLock({ Irql }: { Irql: number }) {
          yield* wdk.KeReleaseSpinLock({ SpinLock: lock, NewIrql: Irql });
        },
        *CsqCompleteCanceledIrp({ Irp }: Named) {
          canceled.push(Irp);
          irps.at(Irp).IoStatus.Status = Status.CANCELLED;
          yield* wdk.IofCompleteRequest({ Irp, PriorityBoost: 0 });
        },
      });
      const device = kernel.devices.create({
        driver: kernel.ioDrivers.create({
          name: 'nic',
          dispatch: function* ({ Irp }: Named) {
            yield* wdk.IoCsqInsertIrp({ Csq: csq, Irp });
            return Status.PENDING;
          },
        }),
      }).device;
      const packets: Address[] = [];
      for (let i = 0; i < 3; i++) {
        const irp = irps.allocate(1);
        irps.next(irps.at(irp)).MajorFunction = Major.READ;
        expect(yield* irps.call(device, irp)).toBe(Status.PENDING);
        packets.push(irp);
      }
      expect(queue).toEqual(packets);
      expect(yield* irps.cancel(packets[1] as Address)).toBe(true);
      expect([kernel.scheduler.irql, canceled]).toEqual([0, [packets[1]]]);
      expect(yield* wdk.IoCsqRemoveNextIrp({ Csq: csq, PeekContext: NULL })).toBe(packets[0]);
      expect(yield* wdk.IoCsqRemoveNextIrp({ Csq: csq, PeekContext: NULL })).toBe(packets[2]);
      expect(yield* wdk.IoCsqRemoveNextIrp({ Csq: csq, PeekContext: NULL })).toBe(NULL);
      expect(yield* irps.cancel(packets[0] as Address)).toBe(false);
    });
    const odd = kernel.trace.events.filter((event) => event.kind === 'leave' && (event.irqlAtEntry ?? event.locksHeld));
    expect(odd).toEqual([]);
  });
});

describe('remove locks', () => {
  it('hold the remover until the last user has left, and refuse new ones', () => {
    const { kernel, wdk, run } = testKernel();
    expect(IO_REMOVE_LOCK.size).toBe(32);
    const lock = kernel.heap.allocate(IO_REMOVE_LOCK.size, 'IO_REMOVE_LOCK', { fill: 0 });
    const use = { RemoveLock: lock, Tag: NULL, RemlockSize: 32 };
    const acquire = () => wdk.IoAcquireRemoveLockEx({ ...use, File: '', Line: 0 });
    const log: string[] = [];
    run(function* () {
      const init = { Lock: lock, AllocateTag: 0, MaxLockedMinutes: 0, HighWatermark: 0, RemlockSize: 32 };
      yield* wdk.IoInitializeRemoveLockEx(init);
      expect([yield* acquire(), yield* acquire()]).toEqual([0, 0]);
      kernel.scheduler.startThread(
        'user',
        (function* () {
          expect(yield* acquire()).toBe(Status.DELETE_PENDING);
          log.push('leaves');
          yield* wdk.IoReleaseRemoveLockEx(use);
        })(),
      );
      yield* wdk.IoReleaseRemoveLockAndWaitEx(use);
      log.push('removed');
    });
    expect(log).toEqual(['leaves', 'removed']);
  });
});
