/**
 * What stays the same about a finding when the driver is built again: no addresses, no offsets, no times. SARIF's fingerprints
 * and the names of JUnit's test cases are made of it, so that a dashboard sees one finding over many builds.
 */
import type { MergedFinding } from '../explore/result.ts';
import type { Frame, Stack } from '../trace/events.ts';
import { placeOf } from './place.ts';

/**
 * One identity a finding, in order: the rule, the kind of resource, the call that acquired it and the routine it was called in,
 * the call that went wrong, and the driver's functions around both where symbols name them. Findings alike in all that are numbered in the order found.
 */
export function identities(findings: readonly MergedFinding[]): string[] {
  const seen = new Map<string, number>();
  return findings.map((finding) => {
    const { rule, resource, stack } = finding;
    const names = [...ownNames(resource?.acquired ?? []), ...stack.slice(0, 1).map(nameOf), ...ownNames(stack)];
    const base = [rule, resource?.type, resource?.fn, resource?.callback, ...new Set(names)]
      .filter((part) => part !== undefined)
      .join('/');
    const nth = (seen.get(base) ?? 0) + 1;
    seen.set(base, nth);
    return `${base}#${nth}`;
  });
}

const nameOf = (frame: Frame) => placeOf(frame).fn;

/** The innermost of the driver's own functions that symbols name: further out they all look alike. */
const ownNames = (stack: Stack) =>
  stack
    .filter((frame) => placeOf(frame).own)
    .flatMap((frame) => nameOf(frame) ?? [])
    .slice(0, 2);

/** 64 bits of FNV-1a, as 16 hex digits: short, and no secret. */
export function hash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  return value.toString(16).padStart(16, '0');
}
