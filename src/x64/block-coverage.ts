/** Which blocks of guest code have run: each translated block sets its byte in the engine's page. */
import type { Address } from '../trace/units.ts';
import { COVERED_BLOCKS, Layout } from './layout.ts';

/** Code that runs from its first byte to its last without a branch in between. */
export interface CodeBlock {
  readonly start: Address;
  /** The address behind its last instruction. */
  readonly end: Address;
}

export class BlockCoverage {
  private readonly cells: DataView;
  private readonly blocks: (CodeBlock & { told: boolean })[] = [];
  private readonly numbers = new Map<string, number>();

  /** `cells` is the engine's page. */
  constructor(cells: DataView) {
    this.cells = cells;
  }

  /** Where in the page a block leaves its mark; undefined when there is no room. Copies of one block share it. */
  mark(start: Address, end: Address): number | undefined {
    const key = `${start}-${end}`;
    let number = this.numbers.get(key);
    if (number === undefined) {
      if (this.blocks.length === COVERED_BLOCKS) return undefined;
      number = this.blocks.push({ start, end, told: false }) - 1;
      this.numbers.set(key, number);
    }
    return Layout.covered + number;
  }

  /** The blocks that ran for the first time since this was asked last. */
  takeNew(): CodeBlock[] {
    const fresh: CodeBlock[] = [];
    for (const [number, block] of this.blocks.entries()) {
      if (block.told || this.cells.getUint8(Layout.covered + number) === 0) continue;
      block.told = true;
      fresh.push({ start: block.start, end: block.end });
    }
    return fresh;
  }
}
