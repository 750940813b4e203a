/**
 * How much of the driver's code ran. What there is to run is read from the image: the blocks of a routine and of all it calls
 * directly, split where control may come in or leave. Blocks behind jump tables and calls through pointers are not found that
 * way; they count as soon as they run.
 */
import type { Image } from '../image/image.ts';
import type { Address } from '../trace/units.ts';
import type { CodeBlock } from '../x64/block-coverage.ts';
import type { CodeCoverage } from './result.ts';
import { StaticCode } from './static-code.ts';

/** Blocks of routines that are not listed beyond this. */
const LISTED = 200;

/** `routines`: by name, the offset where each begins. */
export function codeCoverage(
  image: Image,
  routines: ReadonlyMap<string, number>,
  covered: readonly CodeBlock[],
): CodeCoverage {
  const code = new StaticCode(image);
  try {
    const ran = new Ran(covered);
    const never = new Set<Address>();
    const rows = [...routines].map(([routine, entry]) => {
      const functions = code.reachable(entry as Address);
      const starts = [...new Set(functions.flatMap((begin) => code.functionAt(begin).blocks))];
      const missing = starts.filter((start) => !ran.has(start));
      for (const start of missing) never.add(start);
      return { routine, blocks: starts.length, ran: starts.length - missing.length };
    });
    return { routines: rows, never: [...never].toSorted((a, b) => a - b).slice(0, LISTED) };
  } finally {
    code.dispose();
  }
}

/** The blocks that ran, for asking whether an address lies in one. */
class Ran {
  private readonly blocks: readonly CodeBlock[];

  constructor(covered: readonly CodeBlock[]) {
    const sorted = covered.toSorted((a, b) => a.start - b.start);
    const merged: { start: Address; end: Address }[] = [];
    for (const { start, end } of sorted) {
      const last = merged.at(-1);
      if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end) as Address;
      else merged.push({ start, end });
    }
    this.blocks = merged;
  }

  has(address: Address): boolean {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const { start, end } = this.blocks[middle] as CodeBlock;
      if (address < start) high = middle - 1;
      else if (address >= end) low = middle + 1;
      else return true;
    }
    return false;
  }
}
