/** A mismatch as text that says all there is to reproduce it. */
import { hex } from '../../src/trace/units.ts';
import { flagNames, registerName } from './compare.ts';
import { ARENA, PAGE } from './layout.ts';
import { listing } from './program.ts';
import type { Mismatch, Report } from './run.ts';

function value(bits: bigint): string {
  const offset = Number(BigInt.asIntN(64, bits)) - ARENA;
  return offset >= -PAGE && offset < 3 * PAGE ? `arena${offset < 0 ? '-' : '+'}${hex(Math.abs(offset))}` : hex(bits);
}

export function describe({ program, state, native, guest, differences, options }: Mismatch): string {
  const changed = [...state.gpr.keys()].map(
    (n) => `  ${registerName(n).padEnd(4)} ${value(state.gpr[n]!).padEnd(20)} native ${value(native.gpr[n]!).padEnd(20)} guest ${value(guest.gpr[n]!)}`, // biome-ignore format: one line
  );
  const text = program.placed.map((p) => p.decoded);
  const vectors = [...Array(16).keys()].filter((n) =>
    text.some((i) => i.operands.some((o) => o.kind === 'xmm' && o.register === n)),
  );
  const xmm = (words: BigUint64Array, n: number) => `${hex(words[2 * n + 1]!)}:${hex(words[2 * n]!)}`;
  return [
    ...listing(program).map((line) => `  ${line}`),
    ...differences.map((line) => `  ! ${line}`),
    `  engine options ${JSON.stringify(options)}`,
    `  flags before ${flagNames(state.rflags)}; native ${flagNames(native.rflags)}, guest ${flagNames(guest.rflags)}`,
    ...changed,
    ...vectors.map((n) => `  xmm${n} ${xmm(state.xmm, n)} native ${xmm(native.xmm, n)} guest ${xmm(guest.xmm, n)}`),
  ].join('\n');
}

const list = (map: ReadonlyMap<string, unknown>): string =>
  map.size === 0 ? 'none' : [...map].map(([key, n]) => `${key} ${n}`).join(', ');

export function summary(report: Report, forms: number): string {
  const uses = [...report.uses.values()].sort((a, b) => a - b);
  return [
    `${report.cases} cases of ${report.programs} programs; ${report.uses.size} of ${forms} forms, each in ${uses[0] ?? 0} or more programs (median ${uses[uses.length >> 1] ?? 0})`, // biome-ignore format: one line
    `how they ended on this CPU, by exception: ${list(report.outcomes)}`,
    `turned down by the guest CPU: ${list(report.unsupported)}`,
    `lacking on this CPU: ${list(report.absent)}`,
    `given up, for taking too long: ${report.endless}; lost in another program: ${report.wandered}`,
    `mismatches: ${report.mismatches.length}`,
  ].join('\n');
}
