/**
 * The processor control blocks (KPCR) that inlined WDK code reads through GS: KeGetCurrentThread, KeGetCurrentProcessorNumber,
 * KeGetPcr. Offsets: the WDK's ksamd64.inc. The IRQL is in CR8.
 */
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';

/** PcSelf, PcCurrentPrcb, PcTeb (the unused Self of an NT_TIB), PcPrcb. */
const SELF = 0x18;
const CURRENT_PRCB = 0x20;
const PRCB = 0x180;
/** In the PRCB: MxCsr, LegacyNumber (ntddk.h reads it), CurrentThread, IdleThread, Number. */
const MXCSR = PRCB;
const LEGACY_NUMBER = PRCB + 0x04;
const CURRENT_THREAD = PRCB + 0x08;
const IDLE_THREAD = PRCB + 0x18;
const NUMBER = PRCB + 0x24;
/** MajorVersion and MinorVersion of the KPCR. */
const VERSION = 0x60;
const IDLE_THREAD_SIZE = 0x900;

interface Block {
  readonly address: Address;
  readonly idleThread: Address;
  thread: Address;
}

export class ProcessorBlocks {
  private readonly memory: GuestMemory;
  private readonly blocks: readonly Block[];
  private readonly currentThread: () => Address;

  /** @param currentThread the thread object of the context that runs now; NULL when no thread does */
  constructor(heap: Heap, memory: GuestMemory, count: number, currentThread: () => Address) {
    this.memory = memory;
    this.currentThread = currentThread;
    this.blocks = Array.from({ length: count }, (_, number) => makeBlock(heap, memory, number));
  }

  /** A context of this processor is about to run: its thread is the current one. Gives the GS base. */
  enter(processor: number): Address {
    const block = this.blocks[processor] as Block;
    const current = this.currentThread();
    const thread = current === NULL ? block.idleThread : current;
    if (thread !== block.thread) {
      block.thread = thread;
      this.memory.writePointer(at(block.address, CURRENT_THREAD), thread);
    }
    return block.address;
  }
}

function makeBlock(heap: Heap, memory: GuestMemory, number: number): Block {
  const address = heap.allocate(0x1000, `KPCR of processor ${number}`, { fill: 0 });
  const idleThread = heap.allocate(IDLE_THREAD_SIZE, `idle thread of processor ${number}`, { fill: 0 });
  memory.writePointer(at(address, SELF), address);
  memory.writePointer(at(address, CURRENT_PRCB), at(address, PRCB));
  memory.writeU16(at(address, VERSION), 1);
  memory.writeU16(at(address, VERSION + 2), 1);
  memory.writeU32(at(address, MXCSR), 0x1f80);
  memory.writeU8(at(address, LEGACY_NUMBER), number);
  memory.writePointer(at(address, CURRENT_THREAD), idleThread);
  memory.writePointer(at(address, IDLE_THREAD), idleThread);
  memory.writeU32(at(address, NUMBER), number);
  return { address, idleThread, thread: idleThread };
}
