/**
 * C13 line information of a module: which source line each run of code came from.
 * Sources: LLVM, "The Module Information Stream", https://llvm.org/docs/PDB/ModiStream.html; Microsoft, microsoft-pdb,
 * include/cvinfo.h (CV_DebugSLinesHeader_t, CV_Line_t).
 */
import { align4, type Bytes } from './bytes.ts';

const IGNORED = 0x80000000;
const LINES = 0xf2;
const FILE_CHECKSUMS = 0xf4;
const INLINEE_LINES = 0xf6;
const HAS_COLUMNS = 1;
/** Line numbers that say "no source here": clang's 0, 0xfeefee of the compiler's own code, 0xf00f00 of code to step over. */
const NO_LINES: ReadonlySet<number> = new Set([0, 0xfeefee, 0xf00f00]);
/** A file block's header: file, count of lines, bytes. */
const BLOCK_HEADER = 12;

/** A file, as the place of its record in the table of file checksums. */
export type FileId = number;

export interface Line {
  /** Bytes from the start of its run of code. */
  readonly offset: number;
  readonly file: FileId;
  /** Undefined: code without a source line. */
  readonly line: number | undefined;
}

/** A run of code, usually a function, with its lines. */
interface Run {
  readonly section: number;
  readonly offset: number;
  readonly size: number;
  readonly data: Bytes;
}

/** Where the body of an inlined function is written, by the function's id. */
export interface InlineeLine {
  readonly file: FileId;
  readonly line: number;
}

export class ModuleLines {
  readonly #runs: Run[] = [];
  readonly #checksums: Bytes | undefined;
  readonly #strings: Bytes | undefined;
  readonly #inlinees: Bytes[] = [];
  readonly #parsed = new Map<Run, Line[]>();
  #inlineeLines: Map<number, InlineeLine> | undefined;

  /** @param strings the names of source files, `/names` */
  constructor(c13: Bytes, strings: Bytes | undefined) {
    this.#strings = strings;
    for (let at = 0; at + 8 <= c13.size; ) {
      const kind = c13.u32(at);
      const size = c13.u32(at + 4);
      if (kind === LINES) this.#addRun(c13.part(at + 8, size));
      else if (kind === FILE_CHECKSUMS) this.#checksums = c13.part(at + 8, size);
      else if (kind === INLINEE_LINES) this.#inlinees.push(c13.part(at + 8, size));
      else if ((kind & IGNORED) === 0) c13.check(at + 8, size);
      at += 8 + align4(size);
    }
    this.#runs.sort((a, b) => a.section - b.section || a.offset - b.offset);
  }

  #addRun(data: Bytes): void {
    this.#runs.push({ section: data.u16(4), offset: data.u32(0), size: data.u32(8), data });
  }

  /** The line that the code at a place came from. */
  at(section: number, offset: number): Line | undefined {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const run = this.#runs[middle]!;
      if (run.section > section || (run.section === section && run.offset > offset)) high = middle;
      else low = middle + 1;
    }
    // Functions that the linker folded into one have their runs at one place: the first, as `procedureAt` takes the first.
    let index = low - 1;
    while (
      index > 0 &&
      this.#runs[index - 1]!.section === section &&
      this.#runs[index - 1]!.offset === this.#runs[index]!.offset
    )
      index--;
    const run = this.#runs[index];
    if (run === undefined || run.section !== section || offset - run.offset >= run.size) return undefined;
    return lastAt(this.linesOf(run), offset - run.offset);
  }

  /** Every run's lines; for tests. */
  *all(): Generator<{ readonly section: number; readonly offset: number; readonly lines: readonly Line[] }> {
    for (const run of this.#runs) {
      yield { section: run.section, offset: run.offset, lines: this.linesOf(run) };
    }
  }

  private linesOf(run: Run): Line[] {
    const known = this.#parsed.get(run);
    if (known !== undefined) return known;
    const { data } = run;
    const lines: Line[] = [];
    const withColumns = (data.u16(6) & HAS_COLUMNS) !== 0;
    for (let at = 12; at + BLOCK_HEADER <= data.size; ) {
      const file = data.u32(at);
      const count = data.u32(at + 4);
      const size = data.u32(at + 8);
      if (size < BLOCK_HEADER + count * (withColumns ? 12 : 8)) throw data.error('has more lines than bytes');
      data.check(at, size);
      for (let index = 0; index < count; index++) {
        const entry = at + BLOCK_HEADER + index * 8;
        const number = data.u32(entry + 4) & 0xffffff;
        lines.push({ offset: data.u32(entry), file, line: NO_LINES.has(number) ? undefined : number });
      }
      at += size;
    }
    // A function that includes code of other files has a block a file; together they are in no order.
    lines.sort((a, b) => a.offset - b.offset);
    this.#parsed.set(run, lines);
    return lines;
  }

  fileName(file: FileId): string | undefined {
    if (this.#checksums === undefined || this.#strings === undefined) return undefined;
    return this.#strings.text(this.#checksums.u32(file));
  }

  /** Where the inlined function with this id is written. */
  inlinee(id: number): InlineeLine | undefined {
    this.#inlineeLines ??= readInlinees(this.#inlinees);
    return this.#inlineeLines.get(id);
  }
}

function lastAt(lines: readonly Line[], offset: number): Line | undefined {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle]!.offset > offset) high = middle;
    else low = middle + 1;
  }
  let index = low - 1;
  // Entries of no length: the first is the one meant for the place itself (a function's first line, not its first statement).
  if (lines[index]?.offset === offset) while (lines[index - 1]?.offset === offset) index--;
  return lines[index];
}

function readInlinees(tables: readonly Bytes[]): Map<number, InlineeLine> {
  const inlinees = new Map<number, InlineeLine>();
  for (const table of tables) {
    const extended = table.u32(0) === 1;
    for (let at = 4; at + 12 <= table.size; ) {
      inlinees.set(table.u32(at), { file: table.u32(at + 4), line: table.u32(at + 8) });
      // The extended form lists further files the function's body comes from.
      at += extended ? 16 + table.u32(at + 12) * 4 : 12;
    }
  }
  return inlinees;
}
