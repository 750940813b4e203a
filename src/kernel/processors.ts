/** The processor control blocks (KPCR) that inlined WDK code reads through GS. Offsets observed in public symbols of x64 Windows. */
import { type Address, at } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';

const SELF = 0x18;
const CURRENT_PRCB = 0x20;
const PRCB = 0x180;
const NUMBER = 0x1a4;

/** Makes one block a processor and gives their addresses: the GS bases. */
export function processorBlocks(heap: Heap, memory: GuestMemory, count: number): Address[] {
  return Array.from({ length: count }, (_, number) => {
    const block = heap.allocate(0x1000, `KPCR of processor ${number}`, { fill: 0 });
    memory.writePointer(at(block, SELF), block);
    memory.writePointer(at(block, CURRENT_PRCB), at(block, PRCB));
    memory.writeU32(at(block, NUMBER), number);
    return block;
  });
}
