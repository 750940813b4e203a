/** Generates, runs on both sides, compares, shrinks what differs. */
import { at } from '../../src/trace/units.ts';
import type { EngineOptions } from '../../src/x64/engine.ts';
import type { SupportedForm } from '../../src/x64/forms.ts';
import { differences } from './compare.ts';
import { type Forms, forms } from './forms.ts';
import { Generator } from './generate.ts';
import { Guest } from './guest.ts';
import { ARENA, CODE, type Outcome, PAGE, SLOT, type State } from './layout.ts';
import { type Batch, Native } from './native.ts';
import type { Roles } from './operands.ts';
import { assemble, type Entry, type Program } from './program.ts';
import { eight, integer, pool, Random } from './random.ts';

export interface RunOptions {
  readonly cases: number;
  readonly seed: number;
  /** Only forms whose name matches are the main ones of a program. */
  readonly only?: RegExp;
  /** Inputs per program. */
  readonly states?: number;
  /** Stop after so many different mismatches. */
  readonly limit?: number;
  readonly progress?: (cases: number, mismatches: number) => void;
  /** Told of every mismatch when it is found. */
  readonly found?: (mismatch: Mismatch) => void;
}

/** One case that differs, made small. */
export interface Mismatch {
  readonly program: Program;
  readonly state: State;
  readonly native: Outcome;
  readonly guest: Outcome;
  readonly differences: readonly string[];
  readonly options: EngineOptions;
}

export interface Report {
  readonly cases: number;
  readonly programs: number;
  /** Cases that one side gave up, which compare nothing: loops may be long. */
  readonly endless: number;
  /** Cases that went on in code that no one generated, or, with differences, in another case's program: they say nothing. */
  readonly wandered: number;
  /** How often a form was in a program. */
  readonly uses: ReadonlyMap<string, number>;
  /** How cases ended, on the host's CPU. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** What the guest CPU refused as unsupported, by mnemonic. */
  readonly unsupported: ReadonlyMap<string, number>;
  /** Invalid opcodes here: instructions this host's CPU lacks. */
  readonly absent: ReadonlyMap<string, number>;
  readonly skipped: ReadonlyMap<string, string>;
  readonly mismatches: readonly Mismatch[];
}

const POOL = 64 * 1024;
const BATCH_PROGRAMS = 256;

/** The ways the engine is run in turn: what it stitches together must not matter. */
const variants: readonly EngineOptions[] = [
  { exactFlags: true },
  {},
  { exactFlags: true, limits: { region: 3, inlined: 4, callee: 2 } },
  { exactFlags: true, limits: { callee: 0 } },
  { exactFlags: true, slice: 3 },
];

interface Candidate {
  readonly program: Program;
  readonly roles: Roles;
}

export class Differential {
  private readonly r: Random;
  private readonly options: RunOptions;
  private readonly forms: Forms;
  private readonly native = new Native();
  private readonly guest = new Guest();
  private readonly queue: SupportedForm[] = [];
  private readonly signatures = new Set<string>();

  private readonly report = {
    cases: 0,
    programs: 0,
    endless: 0,
    wandered: 0,
    uses: new Map<string, number>(),
    outcomes: new Map<string, number>(),
    unsupported: new Map<string, number>(),
    absent: new Map<string, number>(),
    skipped: new Map<string, string>() as ReadonlyMap<string, string>,
    mismatches: [] as Mismatch[],
  };

  constructor(options: RunOptions) {
    this.options = options;
    this.r = new Random(options.seed);
    this.forms = forms();
    this.report.skipped = this.forms.skipped;
  }

  async run(): Promise<Report> {
    const { report, options } = this;
    try {
      for (let n = 0; report.cases < options.cases && report.mismatches.length < (options.limit ?? 20); n++) {
        await this.batch(variants[n % variants.length]!);
        options.progress?.(report.cases, report.mismatches.length);
      }
    } finally {
      this.native.close();
    }
    return report;
  }

  /** Forms in turn: each comes before any comes again. */
  private readonly next = (): SupportedForm => {
    if (this.queue.length === 0) {
      const { only } = this.options;
      this.queue.push(...this.r.shuffle(this.forms.all.filter((form) => !only || only.test(form.code))));
    }
    return this.queue.pop()!;
  };

  private generate(index: number, exactFlags: boolean): Candidate {
    const { r } = this;
    const origin = at(CODE, index * SLOT);
    for (;;) {
      const length = r.chance(0.15) ? 1 : r.between(2, r.chance(0.3) ? 12 : 6);
      const generator = new Generator(r, this.forms, () => r.pick(this.forms.all));
      generator.program(Array.from({ length }, this.next));
      try {
        return { program: this.define(generator, origin, exactFlags), roles: generator.roles };
      } catch (error) {
        // an operand that does not go with another (AH with REX), too far a jump, too long
        if (process.env.DIFFERENTIAL_DEBUG) console.error(error);
      }
    }
  }

  /** Assembles, with instructions that set flags in front of those that would read undefined ones. */
  private define(generator: Generator, origin: ReturnType<typeof at>, exactFlags: boolean): Program {
    const entries: Entry[] = [...generator.entries];
    for (;;) {
      const program = assemble(entries, origin, exactFlags);
      if (program.reader === undefined) return program;
      const { code } = program.placed[program.reader]!;
      entries.splice(entries.indexOf(code), 0, { ...generator.definer(), group: code.group });
    }
  }

  private state(roles: Roles): State {
    const { r } = this;
    const gpr = new BigUint64Array(16);
    for (let n = 0; n < 16; n++) gpr[n] = integer(r);
    const aligned = r.chance(0.5);
    for (const n of roles.pointers) {
      const edge = r.chance(0.06);
      const step = aligned ? 16 : r.pick([16, 8, 1]);
      const offset = edge ? r.pick([0, PAGE, 2 * PAGE]) + r.between(-24, 24) : step * r.between(Math.ceil(700 / step), Math.floor(3300 / step)); // biome-ignore format: two ways
      gpr[n] = BigInt(ARENA + offset);
    }
    for (const n of roles.indexes) gpr[n] = BigInt.asUintN(64, BigInt(r.between(r.chance(0.3) ? -64 : 0, 64)));
    if (r.chance(0.97)) gpr[4] = BigInt(ARENA + (aligned ? 16 * r.between(64, 192) : 8 * r.between(128, 384)));
    const xmm = new BigUint64Array(32);
    for (let n = 0; n < 32; n++) xmm[n] = eight(r);
    const rflags = (r.u32() & 0x8d5) | 0x202 | (r.chance(0.15) ? 0x400 : 0);
    return { gpr, xmm, rflags, mxcsr: 0x1f80, pool: 8 * r.below((POOL - PAGE) / 8) };
  }

  private async batch(options: EngineOptions): Promise<void> {
    const { r, report } = this;
    const candidates: Candidate[] = [];
    const perProgram = this.options.states ?? 4;
    const wanted = Math.ceil((this.options.cases - report.cases) / perProgram);
    const programs = Math.min(BATCH_PROGRAMS, wanted);
    while (candidates.length < programs) candidates.push(this.generate(candidates.length, options.exactFlags ?? false));
    const code = new Uint8Array(programs * SLOT).fill(0xcc);
    candidates.forEach(({ program }, i) => {
      code.set(program.bytes, i * SLOT);
      for (const { code } of program.placed) {
        if (code.form) count(report.uses, code.form.code);
      }
    });
    const cases = candidates.flatMap(({ roles }, program) =>
      Array.from({ length: perProgram }, () => ({ program, state: this.state(roles) })),
    );
    const batch: Batch = { code, programs, pool: pool(r, POOL), cases };
    const pending = this.native.run(batch);
    const guests = this.guest.run(batch, options);
    const natives = await pending;
    report.programs += programs;
    for (const [i, { program, state }] of cases.entries()) {
      report.cases++;
      const candidate = candidates[program]!;
      await this.judge(candidate, state, natives[i]!, guests[i]!, batch, options);
    }
    for (const { program } of candidates) {
      for (const entry of program.entries) if (entry.kind === 'code') entry.instruction.free();
    }
  }

  private async judge(
    { program }: Candidate,
    state: State,
    native: Outcome,
    guest: Outcome,
    batch: Batch,
    options: EngineOptions,
  ): Promise<void> {
    const { report } = this; // biome-ignore format: the parameters above
    count(report.outcomes, String(native.trap));
    const where = program.placed.find((p) => p.rip === native.rip);
    if (native.trap === 6 && where && where.decoded.mnemonic !== 'ud2') {
      count(report.absent, where.decoded.code);
      return;
    }
    if (guest.trap === 'unsupported') {
      count(report.unsupported, program.placed.find((p) => p.rip === guest.rip)?.decoded.code ?? '?');
      return;
    }
    if (native.trap === 'timeout' || guest.trap === 'timeout') {
      this.report.endless++;
      return;
    }
    if (guest.trap === 'lost') {
      report.wandered++;
      return;
    }
    const compare = { exactFlags: options.exactFlags ?? false };
    const found = differences(program, native, guest, compare);
    if (found.length === 0) return;
    if (await this.wandered(program, state, native, batch)) {
      report.wandered++;
      return;
    }
    const mismatch = await this.shrink({ program, state, native, guest, differences: found, options }, batch.pool);
    const signature = mismatch.program.placed.map((p) => p.decoded.code).join(' ') + mismatch.differences.map((d) => d.split(' ')[0]).join(); // biome-ignore format: one line
    if (this.signatures.has(signature)) return;
    this.signatures.add(signature);
    report.mismatches.push(mismatch);
    this.options.found?.(mismatch);
  }

  /**
   * Whether a case went on in another program, by a return address it had changed, say: alone it then ends otherwise on the host's
   * CPU too. What is undefined in the other is not known here.
   */
  private async wandered(program: Program, state: State, native: Outcome, batch: Batch): Promise<boolean> {
    const start = program.placed[0]!.rip - CODE;
    const code = new Uint8Array(batch.code.length).fill(0xcc);
    code.set(program.bytes, start);
    const [alone] = await this.native.run({ ...batch, code, cases: [{ program: start / SLOT, state }] });
    return alone!.trap !== native.trap || alone!.rip !== native.rip;
  }

  /** Leaves out groups of instructions, then single ones, as long as the two sides differ. */
  private async shrink(mismatch: Mismatch, arenas: Uint8Array): Promise<Mismatch> {
    let best = mismatch;
    for (let again = true; again; ) {
      again = false;
      const codes = best.program.entries.filter((e) => e.kind === 'code').slice(0, -1);
      const groups = [...new Set(codes.map((e) => e.group))].map((group) => codes.filter((e) => e.group === group));
      for (const out of [...groups, ...codes.map((code) => [code])]) {
        const entries = best.program.entries.filter((e) => e.kind === 'label' || !out.includes(e));
        const smaller = await this.retry(entries, best, arenas);
        if (!smaller) continue;
        best = smaller;
        again = true;
        break;
      }
    }
    return best;
  }

  private async retry(entries: readonly Entry[], like: Mismatch, arenas: Uint8Array): Promise<Mismatch | undefined> {
    let program: Program;
    try {
      program = assemble(entries, CODE, like.options.exactFlags ?? false);
    } catch {
      return undefined;
    }
    if (program.reader !== undefined) return undefined;
    const code = new Uint8Array(SLOT).fill(0xcc);
    code.set(program.bytes);
    const { state, options } = like;
    const batch: Batch = { code, programs: 1, pool: arenas, cases: [{ program: 0, state }] };
    const [native] = await this.native.run(batch);
    const [guest] = this.guest.run(batch, options);
    if (!native || !guest || [native, guest].some(({ trap }) => typeof trap === 'string' && trap !== 'end'))
      return undefined;
    const found = differences(program, native, guest, { exactFlags: options.exactFlags ?? false });
    return found.length === 0 ? undefined : { program, state, native, guest, differences: found, options };
  }
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
