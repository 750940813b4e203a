/**
 * For tests: an independent judge of the virtual unwinder. It walks a function's real instructions along every path from its
 * entry, keeping only the stack pointer, the saved registers and the stack, and asks at each instruction: does unwinding from
 * here give the registers the caller had? No unwind data is used to know the answer.
 */
import { execFileSync } from 'node:child_process';
import { type Address, at, fromBits, toBits } from '../../trace/units.ts';
import type { Image } from '../image.ts';
import { virtualUnwind } from '../unwind.ts';
import { findFunction, primaryFunction } from '../unwind-info.ts';

export interface Instruction {
  readonly rva: number;
  readonly next: number;
  readonly mnemonic: string;
  readonly operands: readonly string[];
}

/** The instructions of an image, as llvm-objdump sees them. */
export function disassemble(path: string, image: Image): Map<number, Instruction> {
  const text = execFileSync('llvm-objdump', ['-d', '--x86-asm-syntax=intel', path], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const found = new Map<number, Instruction>();
  for (const line of text.split('\n')) {
    const match = /^\s*([0-9a-f]+): ((?:[0-9a-f]{2} )+)\s*(.*)$/.exec(line);
    if (!match) continue;
    const rva = Number(BigInt(`0x${match[1]}`) - image.imageBase);
    const length = match[2]!.trim().split(' ').length;
    const [mnemonic = '', rest = ''] = match[3]!
      .replace(/<.*>/, '')
      .replace(/#.*/, '')
      .trim()
      .split(/\s+(.*)/s);
    const operands = rest.split(',').map((operand) => operand.trim());
    found.set(rva, { rva, next: rva + length, mnemonic, operands });
  }
  return found;
}

const names = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
const registers = [...names, 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
const RSP = 4;
const nonvolatile = [3, 5, 6, 7, 12, 13, 14, 15];

/** Which 64-bit register an operand of any width belongs to; -1 if none. */
function registerOf(operand: string): number {
  const numbered = /^(r\d+)[dwb]?$/.exec(operand);
  if (numbered) return registers.indexOf(numbered[1]!);
  const plain = /^[re]?([abcd])[xlh]$/.exec(operand);
  if (plain) return names.indexOf(`r${plain[1]}x`);
  const pointer = /^[re]?(sp|bp|si|di)l?$/.exec(operand);
  return pointer ? names.indexOf(`r${pointer[1]}`) : -1;
}

interface State {
  readonly gpr: BigUint64Array;
  readonly xmm: BigUint64Array;
  readonly stack: Map<bigint, bigint>;
}

function copy(state: State): State {
  return { gpr: state.gpr.slice(), xmm: state.xmm.slice(), stack: new Map(state.stack) };
}

export interface WalkResult {
  checked: number;
  readonly regions: Record<string, number>;
  readonly problems: string[];
}

const BASE = -0x7ffff000000 as Address;
const STACK = 0xffff_8000_0010_0000n;
const CALLER = 0xffff_f800_1234_5678n;

/** Walks the function that begins at `begin`. */
export function walkFunction(
  image: Image,
  code: ReadonlyMap<number, Instruction>,
  begin: number,
  result: WalkResult,
): void {
  let unique = 0x5eed_0000_0000n;
  const fresh = () => (unique += 0x1_0001n);
  const start: State = {
    gpr: BigUint64Array.from(registers, fresh),
    xmm: BigUint64Array.from({ length: 32 }, fresh),
    stack: new Map([[STACK, CALLER]]),
  };
  start.gpr[RSP] = STACK;
  const entry = findFunction(image, begin);
  const home = entry && primaryFunction(image, entry).begin;
  const inFunction = (rva: number) => {
    const other = findFunction(image, rva);
    return other !== undefined && primaryFunction(image, other).begin === home;
  };

  const work: { rva: number; state: State }[] = [{ rva: begin, state: copy(start) }];
  const seen = new Set<number>();
  for (let item = work.pop(); item; item = work.pop()) {
    let rva = item.rva;
    const { state } = item;
    for (let instruction = code.get(rva); instruction && !seen.has(rva); instruction = code.get(rva)) {
      // Behind a call (or int 0x29) that never returns there may be no more of this function.
      if (home !== undefined && !inFunction(rva)) break;
      seen.add(rva);
      check(image, rva, start, state, result);
      const { mnemonic, operands, next } = instruction;
      if (/^(ret|iret|int3|ud2)/.test(mnemonic)) break;
      if (mnemonic.startsWith('j')) {
        const target = /^0x[0-9a-f]+$/.test(operands[0]!) ? Number(BigInt(operands[0]!) - image.imageBase) : -1;
        if (target >= 0 && inFunction(target) && target !== begin) work.push({ rva: target, state: copy(state) });
        if (mnemonic === 'jmp') break;
      } else if (!step(state, instruction, code.get(next), fresh)) break;
      rva = next;
    }
  }
}

function check(image: Image, rva: number, start: State, state: State, result: WalkResult): void {
  result.checked++;
  const where = `RVA 0x${rva.toString(16)}`;
  const unwound = virtualUnwind(image, BASE, { ...state, rip: at(BASE, rva) }, (address) => {
    return state.stack.get(toBits(address)) ?? 0xbad_0bad_0badn;
  });
  const { region, context } = unwound;
  result.regions[region] = (result.regions[region] ?? 0) + 1;
  const problems: string[] = [];
  if (context.rip !== fromBits(CALLER)) problems.push('rip');
  if (context.gpr[RSP] !== STACK + 8n) problems.push('rsp');
  for (const index of nonvolatile) if (context.gpr[index] !== start.gpr[index]) problems.push(registers[index]!);
  for (let index = 12; index < 32; index++)
    if (context.xmm[index] !== start.xmm[index]) problems.push(`xmm${index >> 1}`);
  if (problems.length > 0) result.problems.push(`${where} (${region}): ${problems.join(', ')}`);
}

/** The effect of one instruction on what is tracked. False: the path cannot be followed. */
function step(
  state: State,
  instruction: Instruction,
  following: Instruction | undefined,
  fresh: () => bigint,
): boolean {
  const { gpr, xmm, stack } = state;
  const { mnemonic, operands } = instruction;
  const [first = '', second = ''] = operands;
  const target = registerOf(first);
  const xmmTarget = /^xmm\d+$/.test(first) ? Number(first.slice(3)) : -1;

  if (mnemonic === 'push' || mnemonic === 'pushfq') {
    gpr[RSP] = gpr[RSP]! - 8n;
    stack.set(gpr[RSP]!, target >= 0 ? gpr[target]! : fresh());
  } else if (mnemonic === 'pop' || mnemonic === 'popfq') {
    if (target >= 0) gpr[target] = stack.get(gpr[RSP]!) ?? fresh();
    gpr[RSP] = gpr[RSP]! + 8n;
  } else if (mnemonic === 'call') {
    // __chkstk leaves RAX, the size, alone.
    const keepsRax = following?.mnemonic === 'sub' && following.operands[0] === 'rsp';
    for (const index of [0, 1, 2, 8, 9, 10, 11]) if (index !== 0 || !keepsRax) gpr[index] = fresh();
    for (let index = 0; index < 12; index++) xmm[index] = fresh();
  } else if (first === 'rsp' && (mnemonic === 'sub' || mnemonic === 'add')) {
    const amount = registerOf(second) >= 0 ? gpr[registerOf(second)]! : BigInt.asUintN(64, integer(second));
    gpr[RSP] = mnemonic === 'sub' ? gpr[RSP]! - amount : gpr[RSP]! + amount;
  } else if (mnemonic === 'lea' && target >= 0) {
    gpr[target] = address(gpr, second) ?? fresh();
  } else if (mnemonic === 'mov' && target >= 0) {
    if (/^-?(0x)?[0-9a-f]+$/.test(second)) gpr[target] = BigInt.asUintN(64, integer(second));
    else if (registers.includes(first) && registers.includes(second)) gpr[target] = gpr[registers.indexOf(second)]!;
    else gpr[target] = (second.startsWith('qword') ? stack.get(address(gpr, second) ?? 0n) : undefined) ?? fresh();
  } else if (mnemonic === 'mov' && first.startsWith('qword') && registers.includes(second)) {
    const slot = address(gpr, first);
    if (slot !== undefined) stack.set(slot, gpr[registers.indexOf(second)]!);
  } else if (
    /^(v?mov[au]p[sd]|v?movdq[au])$/.test(mnemonic) &&
    second.startsWith('xmm') &&
    first.startsWith('xmmword')
  ) {
    const slot = address(gpr, first);
    const from = Number(second.slice(3)) * 2;
    if (slot !== undefined) stack.set(slot, xmm[from]!).set(slot + 8n, xmm[from + 1]!);
  } else if (/^(v?mov[au]p[sd]|v?movdq[au])$/.test(mnemonic) && xmmTarget >= 0 && second.startsWith('xmmword')) {
    const slot = address(gpr, second) ?? 0n;
    xmm[xmmTarget * 2] = stack.get(slot) ?? fresh();
    xmm[xmmTarget * 2 + 1] = stack.get(slot + 8n) ?? fresh();
  } else if (!/^(cmp|test|nop|bt|prefetch|ucomis|comis)/.test(mnemonic)) {
    if (target === RSP && mnemonic === 'and') gpr[RSP] = gpr[RSP]! & BigInt.asUintN(64, integer(second));
    else if (target === RSP) return false;
    else if (target >= 0) gpr[target] = fresh();
    if (xmmTarget >= 0) xmm[xmmTarget * 2] = xmm[xmmTarget * 2 + 1] = fresh();
    if (mnemonic === 'xchg' && registerOf(second) >= 0) gpr[registerOf(second)] = fresh();
  }
  return true;
}

function integer(text: string): bigint {
  return text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
}

/** `[rsp + 0x20]`, `[rbp - 8]`, `[rsp]`; undefined for anything indexed, scaled or relative to RIP. */
function address(gpr: BigUint64Array, operand: string): bigint | undefined {
  const match = /\[(r\w+)(?: ([+-]) (0x[0-9a-f]+|\d+))?\]$/.exec(operand);
  const base = match ? registers.indexOf(match[1]!) : -1;
  if (!match || base < 0) return undefined;
  const displacement = BigInt(match[3] ?? 0);
  return BigInt.asUintN(64, gpr[base]! + (match[2] === '-' ? -displacement : displacement));
}
