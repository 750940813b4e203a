/**
 * Kernel objects that the system still works on while they lie in the driver's memory: a set timer, a queued DPC, an event
 * with a waiter, a lookaside list. Whoever puts one to work says so here; memory that is freed around one is a fact for the
 * rules (bug-check-0xc7, bug-check-0xc4 codes 15, CA, D0), and using it afterwards ends the run as Windows would end.
 */
import type { Recorder } from '../trace/recorder.ts';
import { type Address, hex } from '../trace/units.ts';
import { type GuestMemory, Shadow } from '../x64/memory.ts';
import type { Block, Heap } from './heap.ts';
import { BugCheck } from './stops.ts';

export interface LiveObject {
  readonly address: Address;
  readonly size: number;
  /** `set KTIMER`, `queued KDPC`. */
  readonly what: string;
}

/** TIMER_OR_DPC_INVALID, what Windows stops with when such an object is found in freed memory. */
const TIMER_OR_DPC_INVALID = 0xc7;
/** … and where it lies in memory that may be paged out. */
const IRQL_NOT_LESS_OR_EQUAL = 0x0a;

export class LiveObjects {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly trace: Recorder;
  private readonly objects = new Map<string, LiveObject>();

  constructor(parts: { memory: GuestMemory; heap: Heap; trace: Recorder }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.trace = parts.trace;
    parts.heap.onFree.push((block) => this.freed(block));
  }

  /** One object may be at work in several ways at once: an address counts once per `what`. */
  add(address: Address, size: number, what: string): void {
    this.objects.set(`${what} ${address}`, { address, size, what });
  }

  remove(address: Address, what: string): void {
    this.objects.delete(`${what} ${address}`);
  }

  /** What lies, in whole or in part, in that memory. */
  within(address: Address, size: number): LiveObject[] {
    return [...this.objects.values()].filter(
      (object) => object.address < address + size && object.address + object.size > address,
    );
  }

  /** The system touches the object, outside any call of the driver: it must still be memory. */
  require(address: Address, size: number, what: string): void {
    if (this.memory.writable(address, size)) return;
    const block = this.heap.explain(address);
    const shadow = this.memory.shadowAt(address);
    const paged = shadow === Shadow.Pageable;
    this.trace.emit({
      kind: 'fault',
      by: 'kernel',
      access: 'write',
      address,
      size,
      why: paged ? 'pageable' : shadow === Shadow.Freed ? 'freed' : 'unmapped',
      ...(block === undefined ? {} : { block }),
      stack: [],
    });
    if (paged) throw new BugCheck(IRQL_NOT_LESS_OR_EQUAL, `the ${what} at ${hex(address)} lies in pageable memory`);
    throw new BugCheck(TIMER_OR_DPC_INVALID, `the ${what} at ${hex(address)} is used after its memory was freed`);
  }

  private freed(block: Block): void {
    for (const { address, what } of this.within(block.address, block.size)) {
      this.trace.emit({
        kind: 'fact',
        what: 'freed-with-live-object',
        detail: { object: what, address: hex(address), block: block.what },
        ...(block.freed === undefined ? {} : { stack: block.freed }),
      });
    }
  }
}
