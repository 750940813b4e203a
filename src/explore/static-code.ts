/** The driver's code as it can be read without running it: functions, their blocks, what they call and refer to. */
import type { Image } from '../image/image.ts';
import { type Address, at } from '../trace/units.ts';
import { type CodeSource, Discovery } from '../x64/cfg.ts';
import { Decoder, type Instruction } from '../x64/decode.ts';

/** Everything of one function, nothing of what it calls. */
const LIMITS = { region: 100_000, inlined: 100_000, callee: 0, depth: 1 };

/** All as offsets in the image. Blocks behind jump tables are not found. */
export interface StaticFunction {
  /** Where its blocks begin. */
  readonly blocks: readonly Address[];
  /** What it calls or jumps to directly. */
  readonly calls: readonly Address[];
  /** Import slots it reads, with the instruction that does. */
  readonly imports: readonly { readonly slot: number; readonly at: Address }[];
  /** Functions whose address it takes. */
  readonly takes: readonly Address[];
}

export class StaticCode {
  private readonly functions = new Map<Address, StaticFunction>();
  private readonly code: ImageCode;
  private readonly discovery: Discovery;
  private readonly slots: ReadonlySet<number>;
  private readonly begins: ReadonlySet<number>;

  constructor(image: Image) {
    this.code = new ImageCode(image);
    this.discovery = new Discovery(this.code, LIMITS);
    this.slots = new Set(image.imports.flatMap(({ symbols }) => symbols.map(({ iat }) => iat)));
    this.begins = new Set(image.functions.map(({ begin }) => begin));
  }

  functionAt(entry: Address): StaticFunction {
    let known = this.functions.get(entry);
    if (known === undefined) {
      known = this.read(entry);
      this.functions.set(entry, known);
    }
    return known;
  }

  /** The function and what it calls, directly or further on; with `taken`, also what is only referred to. */
  reachable(entry: Address, taken = false): Address[] {
    const seen = new Set<Address>();
    const work = [entry];
    for (let next = work.pop(); next !== undefined; next = work.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      const { calls, takes } = this.functionAt(next);
      work.push(...calls, ...(taken ? takes : []));
    }
    return [...seen];
  }

  /** Functions that pointers in the image's data point to, as relocations tell. */
  pointedTo({ relocations, layout, imageBase }: Image): Address[] {
    const reader = layout.reader('bad-relocation', 'a relocated pointer');
    return [...relocations.dir64]
      .map((rva) => Number(reader.u64(rva) - imageBase))
      .filter((target) => this.begins.has(target)) as Address[];
  }

  dispose(): void {
    this.code.dispose();
  }

  /** The import slot that a function consisting of one jump goes to. */
  private thunk(entry: Address): number | undefined {
    const first = this.code.decode(entry);
    const operand = first?.mnemonic === 'jmp' ? first.operands[0] : undefined;
    if (operand?.kind !== 'memory' || operand.base >= 0 || operand.index >= 0) return undefined;
    const slot = Number(operand.displacement);
    return this.slots.has(slot) ? slot : undefined;
  }

  private read(entry: Address): StaticFunction {
    const blocks = this.discovery.discover(entry).blocks.filter(({ steps }) => steps.length > 0);
    const calls = new Set<Address>();
    const imports: { slot: number; at: Address }[] = [];
    const takes = new Set<Address>();
    for (const { steps } of blocks) {
      for (const { instruction, record } of steps) {
        const { target, operands, rip, mnemonic } = instruction;
        if (target !== undefined && (record?.control === 'call' || (mnemonic === 'jmp' && this.begins.has(target)))) {
          calls.add(target);
          const slot = this.thunk(target);
          if (slot !== undefined) imports.push({ slot, at: rip });
        }
        for (const operand of operands) {
          if (operand.kind !== 'memory' || operand.base >= 0 || operand.index >= 0) continue;
          const address = Number(operand.displacement);
          if (this.slots.has(address)) imports.push({ slot: address, at: rip });
          else if (mnemonic === 'lea' && this.begins.has(address)) takes.add(address as Address);
        }
      }
    }
    return { blocks: blocks.map(({ rip }) => rip), calls: [...calls], imports, takes: [...takes] };
  }
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
