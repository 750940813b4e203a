/**
 * The executive's work items (obsolete, yet exported): 32 bytes of the driver's memory that a system worker thread takes off its
 * queue before it calls the routine. Nothing holds the driver in memory meanwhile. Pages: wdm-exinitializeworkitem (inline),
 * wdm-exqueueworkitem; layout: wdm.h for x64.
 */
import type { Kernel } from './kernel.ts';
import { pointer, struct } from './layout.ts';
import { callback, D, functionsOf, IN, P, POINTER, ULONG } from './record.ts';
import { LIST_ENTRY } from './structures.ts';

export const WORK_QUEUE_ITEM = struct('WORK_QUEUE_ITEM', {
  List: LIST_ENTRY,
  WorkerRoutine: pointer,
  Parameter: pointer,
});
export const WORKER_THREAD_ROUTINE = callback({
  name: 'WORKER_THREAD_ROUTINE',
  page: 'nc-wdm-worker_thread_routine',
  params: { Parameter: POINTER },
  returns: 'void',
  irql: P,
});
const QUEUED = 'queued WORK_QUEUE_ITEM';

const f = functionsOf<Kernel>();

export const executiveWorkItemFunctions = {
  ExQueueWorkItem: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-exqueueworkitem',
    params: { WorkItem: IN(WORK_QUEUE_ITEM), QueueType: ULONG },
    returns: 'void',
    irql: D,
    body({ workItems, live, invoker, memory }, { WorkItem: { address } }) {
      // ExInitializeWorkItem is inline: that this is an item is known when it is queued.
      if (!workItems.isQueued(address) && !workItems.isRunning(address)) workItems.initialize(address);
      live.add(address, WORK_QUEUE_ITEM.size, QUEUED);
      workItems.queue(address, 'executive work item', function* () {
        live.require(address, WORK_QUEUE_ITEM.size, QUEUED);
        live.remove(address, QUEUED);
        const { WorkerRoutine, Parameter } = WORK_QUEUE_ITEM.at(memory, address);
        yield* invoker.invoke(WORKER_THREAD_ROUTINE, WorkerRoutine, { Parameter });
      });
      return undefined;
    },
  }),
};
