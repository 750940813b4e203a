/**
 * The one allocator of guest address space: pool, images, stacks, mappings, NDIS objects. Addresses only grow and are never
 * given out twice in a run, so every stale pointer is caught; each block lies between guard bytes, exact to the byte, because
 * the shadow is (see x64/memory.ts). The heap keeps who allocated and who freed each block, to explain an access.
 */
import type { BlockInfo, Stack } from '../trace/events.ts';
import { type Address, at } from '../trace/units.ts';
import { BASE, type GuestMemory, Shadow, type ShadowState } from '../x64/memory.ts';
import { Unsupported } from './stops.ts';

export const PAGE_SIZE = 4096;

export interface Block {
  readonly address: Address;
  readonly size: number;
  /** In words for a finding: `pool block 'Ndad'`, `NET_BUFFER_LIST`, `kernel stack`. */
  readonly what: string;
  state: 'live' | 'freed';
  readonly allocated: Stack;
  freed?: Stack;
}

export interface BlockOptions {
  readonly align?: number;
  /** What the driver may do with it; ordinary memory by default. */
  readonly shadow?: ShadowState;
  readonly stack?: Stack;
  /** What its bytes hold at first: pool is not zeroed. */
  readonly fill?: number;
}

/** Guard bytes on each side of a block; a page-aligned block has the rest of the page. */
const GUARD = 32;

export class Heap {
  private readonly memory: GuestMemory;
  /** By ascending address: the heap only grows. */
  private readonly blocks: Block[] = [];
  private next: number;
  /** Each is told of every block before it goes. */
  readonly onFree: ((block: Block) => void)[] = [];
  private readonly end: number;

  /** @param reserve bytes at the top of guest memory that the heap leaves alone (host code addresses) */
  constructor(memory: GuestMemory, reserve: number) {
    this.memory = memory;
    this.next = BASE + PAGE_SIZE;
    this.end = BASE + memory.size - reserve;
  }

  allocate(size: number, what: string, options: BlockOptions = {}): Address {
    const align = options.align ?? (size >= PAGE_SIZE ? PAGE_SIZE : 16);
    const start = Math.ceil((this.next + GUARD) / align) * align;
    const end = start + size;
    if (end + GUARD > this.end) {
      throw new Unsupported(
        'guest memory',
        `the driver needs more than the ${this.memory.size >> 20} MiB haltex gives it`,
      );
    }
    this.memory.setShadow(this.next as Address, start - this.next, Shadow.Guard);
    this.memory.setShadow(start as Address, size, options.shadow ?? Shadow.ReadWrite);
    this.memory.setShadow(end as Address, GUARD, Shadow.Guard);
    if (options.fill !== undefined) this.memory.raw(start as Address, size).fill(options.fill);
    this.next = end;
    this.blocks.push({ address: start as Address, size, what, state: 'live', allocated: options.stack ?? [] });
    return start as Address;
  }

  /** Makes every byte of the block inaccessible for good. The caller has made sure that it is a live block's start. */
  free(address: Address, stack: Stack = []): void {
    const block = this.blockAt(address);
    if (block === undefined || block.address !== address || block.state === 'freed') return;
    block.state = 'freed';
    block.freed = stack;
    for (const tell of this.onFree) tell(block);
    this.memory.setShadow(address, block.size, Shadow.Freed);
  }

  /** The block that begins at or last before the address; its guard counts as its own. */
  blockAt(address: Address): Block | undefined {
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.blocks[middle] as Block).address <= address) low = middle + 1;
      else high = middle;
    }
    return this.blocks[low - 1];
  }

  /** The block to blame for an access at `address`: the one around it, or the nearer neighbour of a guard. */
  explain(address: Address): BlockInfo | undefined {
    const before = this.blockAt(address);
    const index = before === undefined ? -1 : this.blocks.indexOf(before);
    const after = this.blocks[index + 1];
    const overrun = before === undefined ? Number.POSITIVE_INFINITY : address - (before.address + before.size);
    const underrun = after === undefined ? Number.POSITIVE_INFINITY : after.address - address;
    const block = overrun >= 0 && underrun < overrun && underrun <= GUARD ? after : before;
    if (block === undefined || address >= at(block.address, block.size + PAGE_SIZE)) return undefined;
    return {
      what: block.what,
      address: block.address,
      size: block.size,
      offset: address - block.address,
      state: block.state,
      allocated: block.allocated,
      ...(block.freed === undefined ? {} : { freed: block.freed }),
    };
  }
}
