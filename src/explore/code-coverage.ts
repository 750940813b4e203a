/**
 * How much of the driver's code ran. What there is to run is read from the image: the blocks of a routine and of all it calls
 * directly, split where control may come in or leave. Blocks behind jump tables and calls through pointers are not found that
 * way; they count as soon as they run.
 */
import type { Image } from '../image/image.ts';
import { type Address, at } from '../trace/units.ts';
import type { CodeBlock } from '../x64/block-coverage.ts';
import { type Cfg, type CodeSource, Discovery } from '../x64/cfg.ts';
import { Decoder, type Instruction } from '../x64/decode.ts';
import type { CodeCoverage } from './result.ts';

/** Everything of one function, nothing of what it calls. */
const LIMITS = { region: 100_000, inlined: 100_000, callee: 0, depth: 1 };

/** Blocks of routines that are not listed beyond this. */
const LISTED = 200;

/** `routines`: by name, the offset where each begins. */
export function codeCoverage(
  image: Image,
  routines: ReadonlyMap<string, number>,
  covered: readonly CodeBlock[],
): CodeCoverage {
  const code = new ImageCode(image);
  try {
    const blocks = new Blocks(code);
    const ran = new Ran(covered);
    const never = new Set<Address>();
    const rows = [...routines].map(([routine, entry]) => {
      const starts = blocks.reachable(entry as Address);
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

/** The blocks of functions, found once. */
class Blocks {
  private readonly functions = new Map<Address, { starts: Address[]; calls: Address[] }>();
  private readonly discovery: Discovery;

  constructor(source: CodeSource) {
    this.discovery = new Discovery(source, LIMITS);
  }

  /** Where the blocks begin of the function at that offset and of those it calls. */
  reachable(entry: Address): Address[] {
    const starts = new Set<Address>();
    const seen = new Set<Address>();
    const work = [entry];
    for (let next = work.pop(); next !== undefined; next = work.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      const { starts: own, calls } = this.functionAt(next);
      for (const start of own) starts.add(start);
      work.push(...calls);
    }
    return [...starts];
  }

  private functionAt(entry: Address) {
    let known = this.functions.get(entry);
    if (known === undefined) {
      known = parts(this.discovery.discover(entry));
      this.functions.set(entry, known);
    }
    return known;
  }
}

function parts({ blocks }: Cfg): { starts: Address[]; calls: Address[] } {
  const real = blocks.filter(({ steps }) => steps.length > 0);
  const calls = real.flatMap(({ steps }) =>
    steps.flatMap(({ instruction, record }) =>
      record?.control === 'call' && instruction.target !== undefined ? [instruction.target] : [],
    ),
  );
  return { starts: real.map(({ rip }) => rip), calls };
}

/** Decodes from the image's executable sections, by offset. */
class ImageCode implements CodeSource {
  private readonly sections: { readonly start: number; readonly end: number; readonly decoder: Decoder }[];
  private readonly decoded = new Map<Address, Instruction | undefined>();

  constructor({ sections, layout }: Image) {
    this.sections = sections
      .filter(({ executable, fileSize }) => executable && fileSize > 0)
      .map(({ rva, fileOffset, fileSize }) => {
        const bytes = layout.file.subarray(fileOffset, fileOffset + fileSize);
        return { start: rva, end: rva + bytes.length, decoder: new Decoder(bytes, rva as Address) };
      });
  }

  decode(rip: Address): Instruction | undefined {
    if (this.decoded.has(rip)) return this.decoded.get(rip);
    const section = this.sections.find(({ start, end }) => rip >= start && rip < end);
    const instruction = section?.decoder.decode(at(rip, 0));
    this.decoded.set(rip, instruction);
    return instruction;
  }

  isHost(): boolean {
    return false;
  }

  dispose(): void {
    for (const { decoder } of this.sections) decoder.dispose();
  }
}
