/** Which flags may still be read, at every instruction: a backward analysis over the blocks of a region. */
import type { Cfg } from './cfg.ts';
import { Rflags } from './layout.ts';
import { flagEffect } from './lift/record.ts';

export interface Liveness {
  /** By block, by step: flags live before it. One more than there are steps: live at the block's end. */
  readonly before: readonly (readonly number[])[];
  /** Flags live at block entries. */
  readonly entry: readonly number[];
}

/**
 * @param exact  every exit reads all flags. Otherwise calls and returns that leave the region read none, as in every calling
 *               convention; jumps out of the region read all.
 */
export function flagLiveness(cfg: Cfg, exact: boolean): Liveness {
  const all = Rflags.arithmetic;
  const { blocks } = cfg;
  const entry = blocks.map(() => 0);
  const before = blocks.map((b) => new Array<number>(b.steps.length + 1).fill(0));
  let changed = true;
  while (changed) {
    changed = false;
    for (let id = blocks.length - 1; id >= 0; id--) {
      const block = blocks[id]!;
      const last = block.steps.at(-1);
      const control = last?.record?.control;
      const convention = (control === 'call' || control === 'return') && !exact;
      // a branch or return that is not only an edge may leave
      let live =
        (block.stops || block.targets || block.edges.length === 0 || control === 'return') && !convention ? all : 0;
      for (const edge of block.edges) live |= 'block' in edge ? entry[edge.block]! : convention ? 0 : all;
      const lives = before[id]!;
      lives[block.steps.length] = live;
      for (let i = block.steps.length - 1; i >= 0; i--) {
        const { instruction, record } = block.steps[i]!;
        // what we lack, and traps, leave before the instruction: everything may be looked at
        if (!record || record.control === 'stop') live = all;
        else {
          const { reads, writes } = flagEffect(record, instruction);
          live = exact && mayLeave(block.steps[i]!) ? all : (live & ~writes) | reads;
        }
        lives[i] = live;
      }
      if (entry[id] !== live) {
        entry[id] = live;
        changed = true;
      }
    }
  }
  return { before, entry };
}

/** Whether an instruction can be left from before it has happened. */
function mayLeave({ instruction, record }: Cfg['blocks'][number]['steps'][number]): boolean {
  return (
    record?.helper !== undefined ||
    record?.control === 'call' ||
    record?.control === 'return' ||
    ['push', 'pop', 'leave', 'div', 'idiv'].includes(instruction.mnemonic) ||
    instruction.operands.some((o) => o.kind === 'memory')
  );
}
