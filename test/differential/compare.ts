/** What two outcomes of a case must agree on. */
import { hex } from '../../src/trace/units.ts';
import { ARITHMETIC, DIRECTION, type Outcome, PAGE } from './layout.ts';
import { type Program, undefinedAt } from './program.ts';

const NAMES = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
export const registerName = (n: number): string => NAMES[n] ?? `r${n}`;

/** The exceptions a refused access may be on the CPU: page fault; for non-canonical addresses general protection or stack fault. */
const PAGE_FAULT = 14;
const NON_CANONICAL: readonly unknown[] = [12, 13];
const FASTFAIL = 0x29;

function sameTrap(native: Outcome, guest: Outcome): boolean {
  if (native.trap === guest.trap) return true;
  // int 29h needs Windows' interrupt table; as any other `int` it is refused here
  if (native.trap === 13 && guest.trap === FASTFAIL) return true;
  const canonical = Math.abs(guest.address) < 2 ** 47;
  return guest.trap === PAGE_FAULT && NON_CANONICAL.includes(native.trap) && !canonical;
}

/**
 * A jump to an address that is not canonical: the CPU faults at the jump, the guest at its target, which is one more step. Nothing
 * else that could be compared is left.
 */
function leftTheAddressSpace(native: Outcome, guest: Outcome): boolean {
  return (
    NON_CANONICAL.includes(native.trap) &&
    guest.trap === PAGE_FAULT &&
    guest.rip === guest.address &&
    Math.abs(guest.rip) >= 2 ** 47
  );
}

export interface CompareOptions {
  /** Flags are exact at faults too. */
  readonly exactFlags: boolean;
}

/** Differences in words; none: they agree. */
export function differences(program: Program, native: Outcome, guest: Outcome, options: CompareOptions): string[] {
  if (leftTheAddressSpace(native, guest)) return [];
  const found: string[] = [];
  const differ = (what: string, ours: unknown, theirs: unknown) => {
    found.push(`${what}: native ${theirs}, guest ${ours}`);
  };
  if (!sameTrap(native, guest)) differ('outcome', guest.trap, native.trap);
  if (native.rip !== guest.rip) differ('rip', hex(guest.rip), hex(native.rip));
  // when both operands of cmps are refused, either may be the one that is named
  const pair = program.placed.find((p) => p.rip === native.rip)?.decoded.mnemonic.startsWith('cmps');
  if (native.trap === PAGE_FAULT && guest.trap === PAGE_FAULT && !pair) {
    const { address } = native;
    if (address < guest.address || address >= guest.address + guest.size) {
      differ('address', `${hex(guest.address)}+${guest.size}`, hex(address));
    }
  }
  for (let n = 0; n < 16; n++) {
    if (native.gpr[n] !== guest.gpr[n]) differ(registerName(n), hex(guest.gpr[n]!), hex(native.gpr[n]!));
  }
  for (let n = 0; n < 32; n++) {
    if (native.xmm[n] === guest.xmm[n]) continue;
    differ(`xmm${n >> 1} ${n & 1 ? 'high' : 'low'}`, hex(guest.xmm[n]!), hex(native.xmm[n]!));
  }
  const mask = comparedFlags(program, native, options);
  if ((native.rflags ^ guest.rflags) & mask) differ('flags', flagNames(guest.rflags), flagNames(native.rflags));
  // the sticky exception bits are not kept by the guest
  if ((native.mxcsr ^ guest.mxcsr) & 0xffc0) differ('mxcsr', hex(guest.mxcsr), hex(native.mxcsr));
  if (Buffer.compare(native.arena, guest.arena) !== 0) {
    for (let i = 0; i < PAGE; i++) {
      if (native.arena[i] === guest.arena[i]) continue;
      differ(`arena+${hex(i)}`, hex(guest.arena[i]!), hex(native.arena[i]!));
      break;
    }
  }
  return found;
}

const COMPARING = /^(cmps|scas)/;

function comparedFlags(program: Program, native: Outcome, { exactFlags }: CompareOptions): number {
  // at a fault, flags that would have been overwritten unread may be old
  const inexact = !exactFlags && native.trap !== 'end';
  // processors differ in whether iterations before the one that faults have set flags
  const within = program.placed.find((p) => p.rip === native.rip)?.decoded;
  if (native.trap !== 'end' && within?.rep && COMPARING.test(within.mnemonic)) return DIRECTION;
  const arithmetic = inexact ? 0 : ARITHMETIC & ~undefinedAt(program, native.trap, native.rip);
  return arithmetic | DIRECTION;
}

const FLAGS: readonly (readonly [number, string])[] = [
  [0x800, 'OF'], [0x400, 'DF'], [0x80, 'SF'], [0x40, 'ZF'], [0x10, 'AF'], [0x04, 'PF'], [0x01, 'CF'],
]; // biome-ignore format: a table

export function flagNames(flags: number): string {
  return FLAGS.map(([bit, name]) => (flags & bit ? name : name.toLowerCase())).join(' ');
}
