/**
 * Who touched which block of memory when, and whether a block that is freed may still be in use. Kept where memory is watched
 * (x64/watched-memory.ts): of each block the last access of each line, and of each word who wrote it last.
 *
 * Whoever reads what another has written comes after the write, whatever the word is for: an interlocked count, a flag that is
 * polled, the state of a lock. That orders more than a compiler promises; what it orders wrongly is not told, and what is told
 * nothing orders at all: the one who frees has waited for nobody, seen no flag, taken no lock behind the other's last access.
 */
import type { Stack } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, hex } from '../trace/units.ts';
import type { WatchedMemory } from '../x64/watched-memory.ts';
import type { Block, Heap } from './heap.ts';
import { Clocks, type Seen } from './ordering.ts';
import type { Scheduler } from './scheduler.ts';

interface Use {
  readonly time: number;
  readonly context: string;
  readonly callback: string | undefined;
  readonly access: 'read' | 'write';
  readonly address: Address;
  readonly size: number;
}

interface Written {
  readonly line: number;
  readonly seen: Seen;
}

/** Bytes that are one word: what is written and read of it is taken for the same. */
const WORD = 4;
/** Words of one access that are looked at; the rest of a long copy or fill carries no flag. */
const MOST_WORDS = 128;

export class Accesses {
  private readonly heap: Heap;
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly capture: () => Stack;
  private readonly clocks = new Clocks();
  private readonly uses = new Map<Block, Map<number, Use>>();
  private readonly written = new Map<number, Written>();

  constructor(
    memory: WatchedMemory,
    parts: { heap: Heap; scheduler: Scheduler; trace: Recorder; capture: () => Stack },
  ) {
    this.heap = parts.heap;
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
    this.capture = parts.capture;
    parts.scheduler.ordering.seen = this.clocks;
    parts.heap.onFree.push((block) => this.freed(block));
    memory.watch = (address, size, access) => this.touched(address, size, access);
  }

  private touched(address: Address, size: number, access: 'read' | 'write'): void {
    const { line } = this.scheduler.ordering;
    if (line === undefined) return;
    const block = this.heap.blockAt(address);
    // A stack serves one context after another, and what lies on it is its own.
    if (block === undefined || block.what === STACK || address >= block.address + block.size) return;
    const first = Math.floor(address / WORD);
    const last = Math.min(Math.floor((address + size - 1) / WORD), first + MOST_WORDS);
    const seen = this.clocks.of(line);
    if (access === 'read') for (let word = first; word <= last; word++) this.follow(line, seen, word);
    this.use(block, line, seen, address, size, access);
    if (access === 'read') return;
    const written = { line, seen: seen.slice() };
    for (let word = first; word <= last; word++) this.written.set(word, written);
    this.clocks.advance(line);
  }

  private follow(line: number, seen: Seen, word: number): void {
    const by = this.written.get(word);
    if (by === undefined || by.line === line || (seen[by.line] ?? 0) >= (by.seen[by.line] as number)) return;
    this.clocks.follow(line, by.seen);
  }

  private use(block: Block, line: number, seen: Seen, address: Address, size: number, access: 'read' | 'write'): void {
    const known = this.uses.get(block);
    const byLine = known ?? new Map<number, Use>();
    if (known === undefined) this.uses.set(block, byLine);
    const { current } = this.scheduler;
    const callback = current.callbacks.at(-1)?.name;
    byLine.set(line, { time: seen[line] as number, context: current.name, callback, access, address, size });
  }

  /** A use that whoever frees the block does not come after is a fact. */
  private freed(block: Block): void {
    const byLine = this.uses.get(block);
    this.uses.delete(block);
    const { line } = this.scheduler.ordering;
    if (byLine === undefined || line === undefined) return;
    const seen = this.clocks.of(line);
    for (const [other, use] of byLine) {
      if (other === line || (seen[other] ?? 0) >= use.time) continue;
      this.trace.emit({
        kind: 'fact',
        what: 'freed-without-order',
        detail: {
          block: block.what,
          address: hex(block.address),
          size: block.size,
          context: use.context,
          callback: use.callback ?? null,
          access: use.access,
          offset: use.address - block.address,
          bytes: use.size,
        },
        stack: this.capture(),
      });
    }
  }
}

/** What guest.ts calls the stacks it makes. */
const STACK = 'kernel stack';
