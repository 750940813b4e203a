/**
 * Thread objects. Every flow of control that is a thread has one, made when it is first asked for; DPCs and interrupts run in
 * the thread they interrupt, as on Windows.
 */
import { type Address, NULL } from '../trace/units.ts';
import type { Heap } from './heap.ts';
import type { Context, Scheduler } from './scheduler.ts';

/** Bytes of an ETHREAD that are there; drivers treat it as opaque (size observed on Windows 10, rounded up). */
const ETHREAD_SIZE = 0x900;

export class Threads {
  private readonly heap: Heap;
  private readonly scheduler: Scheduler;
  private readonly objects = new Map<Context, Address>();

  constructor(parts: { heap: Heap; scheduler: Scheduler }) {
    this.heap = parts.heap;
    this.scheduler = parts.scheduler;
  }

  /** The thread object of the current context; of the thread under it, for a DPC or an interrupt. */
  current(): Address {
    const { active } = this.scheduler;
    if (active === undefined) return NULL;
    return this.objectOf(this.scheduler.processor.contexts[0] ?? active);
  }

  objectOf(context: Context): Address {
    const known = this.objects.get(context);
    if (known !== undefined) return known;
    const made = this.heap.allocate(ETHREAD_SIZE, `ETHREAD of ${context.name}`, { fill: 0 });
    this.objects.set(context, made);
    return made;
  }
}
