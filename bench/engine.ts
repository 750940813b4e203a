/**
 * `npm run bench:engine -- [--passes N] [--json FILE] [--kernel FILE --reps N]`: the guest CPU with every access checked, beside the
 * host's CPU and Unicorn. Passes of all of them take turns, so that a busy machine slows all of them down.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { guestRunner, Programs, type Runner } from './runners.ts';

interface Kernel {
  readonly name: string;
  readonly file: string;
  /** Repetitions: natively and in the guest CPU, and under Unicorn. */
  readonly reps: number;
  readonly unicornReps: number;
}

interface Statistics {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

interface Measured {
  readonly kernel: string;
  readonly instructionsPerRep: number;
  /** M instr/s, by runner. */
  readonly rates: Record<string, Statistics>;
  /** Guest CPU to runner, of the same pass. */
  readonly ratios: Record<string, Statistics>;
}

const own = (name: string, reps: number, unicornReps: number): Kernel => ({
  name,
  file: fileURLToPath(new URL(`kernels/${name}.bin`, import.meta.url)),
  reps,
  unicornReps,
});
const kernels: readonly Kernel[] = [
  own('crc32', 1000, 200),
  own('checksum-copy-fill', 100_000, 6000),
  own('driver-like', 3_000_000, 120_000),
];

const GUEST = 'haltex';

function statistics(values: readonly number[]): Statistics {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted.at(-1)! };
}

async function measure(kernel: Kernel, programs: Programs, passes: number): Promise<Measured> {
  const { file, reps, unicornReps } = kernel;
  const guest = guestRunner(file);
  const all: { name: string; runner: Runner; reps: number }[] = [{ name: GUEST, runner: guest, reps }];
  const add = (name: string, runner: Runner | undefined, reps: number) => {
    if (runner) all.push({ name, runner, reps });
  };
  add('native', programs.nativeRunner(file), reps);
  add('Unicorn, no hook', programs.unicornRunner(file, 'none'), unicornReps);
  add('Unicorn, checked', programs.unicornRunner(file, 'checked'), unicornReps);
  try {
    // what one repetition is, without what comes before the first; also warms V8 up
    const none = (await guest.run(0)).instructions!;
    const perRep = ((await guest.run(unicornReps)).instructions! - none) / unicornReps;
    const expected = new Map([
      [reps, (await guest.run(reps)).result],
      [unicornReps, (await guest.run(unicornReps)).result],
    ]);
    const rates = new Map<string, number[]>(all.map(({ name }) => [name, []]));
    for (let pass = 0; pass < passes; pass++) {
      for (const { name, runner, reps } of all) {
        const { result, seconds } = await runner.run(reps);
        if (result !== expected.get(reps))
          throw new Error(`${kernel.name}: ${name} computes ${result}, not ${expected.get(reps)}`);
        rates.get(name)!.push((none + perRep * reps) / seconds / 1e6);
      }
    }
    const ours = rates.get(GUEST)!;
    const entries = [...rates];
    return {
      kernel: kernel.name,
      instructionsPerRep: perRep,
      rates: Object.fromEntries(entries.map(([name, values]) => [name, statistics(values)])),
      ratios: Object.fromEntries(
        entries
          .filter(([name]) => name !== GUEST)
          .map(([name, values]) => [name, statistics(values.map((rate, i) => ours[i]! / rate))]),
      ),
    };
  } finally {
    for (const { runner } of all) runner.close();
  }
}

function print({ kernel, instructionsPerRep, rates, ratios }: Measured): void {
  console.log(`${kernel}: ${instructionsPerRep.toFixed(1)} instructions a repetition`);
  for (const [name, { median, min, max }] of Object.entries(rates)) {
    const ratio = ratios[name];
    const text = ratio
      ? `  ${GUEST} is ${ratio.median.toFixed(2)} times as fast (${ratio.min.toFixed(2)}-${ratio.max.toFixed(2)})`
      : '';
    console.log(
      `  ${name.padEnd(18)} ${median.toFixed(0).padStart(7)} M instr/s (${min.toFixed(0)}-${max.toFixed(0)})${text}`,
    );
  }
}

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    kernel: { type: 'string' },
    reps: { type: 'string', default: '1000' },
    passes: { type: 'string', default: '7' },
  },
});
const reps = Number(values.reps);
const chosen: readonly Kernel[] = values.kernel
  ? [{ name: basename(values.kernel), file: values.kernel, reps, unicornReps: Math.max(1, Math.round(reps / 20)) }]
  : kernels;
const programs = new Programs();
try {
  for (const reason of programs.missing) console.log(`Not measured: ${reason}.`);
  const measured: Measured[] = [];
  for (const kernel of chosen) {
    const result = await measure(kernel, programs, Number(values.passes));
    measured.push(result);
    print(result);
  }
  if (values.json) {
    const about = {
      node: process.version,
      cpu: cpus()[0]?.model,
      processors: cpus().length,
      passes: Number(values.passes),
    };
    writeFileSync(
      values.json,
      `${JSON.stringify({ ...about, missing: programs.missing, kernels: measured }, null, 2)}\n`,
    );
  }
} finally {
  programs.close();
}
