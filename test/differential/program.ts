/** Programs: instructions with labels, assembled at an address; which flags are undefined where. */
import * as iced from 'iced-x86';
import { type Address, at } from '../../src/trace/units.ts';
import { decodeOne, type Instruction } from '../../src/x64/decode.ts';
import type { SupportedForm } from '../../src/x64/forms.ts';
import { flagEffect } from '../../src/x64/lift/record.ts';
import { recordOf } from '../../src/x64/lift/table.ts';
import { ARITHMETIC, EXIT, type Outcome, SLOT } from './layout.ts';

/** An instruction of a program; a label stands before the one that follows it. */
export interface Code {
  readonly kind: 'code';
  readonly instruction: iced.Instruction;
  /** Absent: a part of the scaffold. */
  readonly form: SupportedForm | undefined;
  /** Instructions of a group only make sense together. */
  readonly group: number;
  /** A label it names: as a branch, or as an immediate. */
  readonly label?: number;
  readonly names?: 'branch' | 'immediate';
  /** Where control may go, if not only on. */
  readonly ways?: readonly number[];
  /** Control does not go on to the next instruction. */
  readonly leaves?: true;
  /** The count of a shift by CL, where an instruction before has set it. */
  readonly count?: number;
}
export type Entry = Code | { readonly kind: 'label'; readonly label: number };

/** The label of the exit. */
export const OUT = -1;

/** An assembled instruction. */
export interface Placed {
  readonly code: Code;
  readonly rip: Address;
  /** As the guest CPU decodes it. */
  readonly decoded: Instruction;
  /** Flags that are undefined before it. */
  undefinedBefore: number;
}

export interface Program {
  readonly entries: readonly Entry[];
  readonly placed: readonly Placed[];
  readonly bytes: Uint8Array;
  /** Undefined at the exit. */
  undefinedAtEnd: number;
  /** Index in `placed` of an instruction that reads an undefined flag. */
  reader: number | undefined;
}

const encoder = new iced.Encoder(64);

function encode(code: Code, rip: number, labels: ReadonlyMap<number, number>): Uint8Array {
  const { instruction } = code;
  if (code.label !== undefined) {
    const target = BigInt(labels.get(code.label) ?? rip);
    if (code.names === 'branch') instruction.nearBranch64 = target;
    else instruction.immediate64 = target;
  }
  try {
    encoder.encode(instruction, BigInt(rip));
  } catch (error) {
    encoder.takeBuffer();
    throw error;
  }
  return encoder.takeBuffer();
}

/** Throws when something cannot be encoded. Without `exactFlags`, calls and returns pass no flags. */
export function assemble(entries: readonly Entry[], origin: Address, exactFlags: boolean): Program {
  const labels = new Map<number, number>([[OUT, EXIT]]);
  let rip: number = origin;
  for (const entry of entries) {
    if (entry.kind === 'label') labels.set(entry.label, rip);
    else rip += encode(entry, rip, new Map()).length;
  }
  const placed: Placed[] = [];
  const bytes = new Uint8Array(rip - origin);
  if (bytes.length > SLOT) throw new Error('too long');
  rip = origin;
  for (const code of entries) {
    if (code.kind === 'label') continue;
    const encoded = encode(code, rip, labels);
    const decoded = decodeOne(encoded, rip as Address);
    if (!decoded) throw new Error(`not decoded: ${code.form?.code}`);
    bytes.set(encoded, rip - origin);
    placed.push({ code, rip: rip as Address, decoded, undefinedBefore: 0 });
    rip += encoded.length;
  }
  const program: Program = { entries, placed, bytes, undefinedAtEnd: 0, reader: undefined };
  analyse(program, labels, exactFlags);
  return program;
}

const CROSSING = /^(call|ret)$/;

/** Follows undefined flags along all ways until nothing changes. */
function analyse(program: Program, labels: ReadonlyMap<number, number>, exactFlags: boolean): void {
  const { placed } = program;
  const byRip = new Map(placed.map((p, i) => [p.rip as number, i]));
  for (let changed = true; changed; ) {
    changed = false;
    placed.forEach((p, i) => {
      const crossing = !exactFlags && CROSSING.test(p.decoded.mnemonic);
      const after = crossing ? ARITHMETIC : undefinedAfter(p);
      const ways = (p.code.ways ?? []).map((label) => labels.get(label)!);
      if (!p.code.leaves && i + 1 < placed.length) ways.push(placed[i + 1]!.rip);
      for (const way of ways) {
        if (way === EXIT) {
          program.undefinedAtEnd |= after;
          continue;
        }
        const to = placed[byRip.get(way) ?? -1];
        if (!to || (to.undefinedBefore | after) === to.undefinedBefore) continue;
        to.undefinedBefore |= after;
        changed = true;
      }
    });
  }
  const reader = placed.findIndex(({ decoded, undefinedBefore }) => {
    const record = recordOf(decoded);
    return record && flagEffect(record, decoded).reads & undefinedBefore;
  });
  program.reader = reader < 0 ? undefined : reader;
}

function undefinedAfter({ decoded, code, undefinedBefore }: Placed): number {
  const record = recordOf(decoded);
  if (!record) return undefinedBefore;
  const exact = ofShift(decoded, code.count);
  if (exact) return (undefinedBefore & ~exact.writes) | exact.undefined;
  return (undefinedBefore & ~flagEffect(record, decoded).writes) | (record.undefinedFlags ?? 0);
}

const CF = 0x001;
const AF = 0x010;
const OF = 0x800;

/** Shifts and rotates by a known count, more exactly than their records: those state the worst of all counts. */
function ofShift(i: Instruction, known: number | undefined): { writes: number; undefined: number } | undefined {
  const family = /^(?:(rol|ror|rcl|rcr)|(shl|sal|shr)|(sar)|(shld|shrd))$/.exec(i.mnemonic);
  if (!family) return undefined;
  const last = i.operands.at(-1)!;
  const size = (i.operands[0] as { size: number }).size;
  const raw = last.kind === 'immediate' ? Number(BigInt.asUintN(8, last.value)) : known;
  if (raw === undefined) return undefined;
  const count = raw & (size === 8 ? 63 : 31);
  if (count === 0) return { writes: 0, undefined: 0 };
  const overflow = count === 1 ? 0 : OF;
  if (family[1]) return { writes: CF | OF, undefined: overflow };
  const carry = !family[3] && count >= size * 8 ? CF : 0;
  return { writes: ARITHMETIC, undefined: overflow | AF | carry };
}

/** Undefined flags where a case ended. */
export function undefinedAt(program: Program, trap: Outcome['trap'], rip: number): number {
  if (trap === 'end') return program.undefinedAtEnd;
  const index = program.placed.findIndex((p) => p.rip === rip || (trap === 3 && at(p.rip, 1) === rip));
  return index < 0 ? ARITHMETIC : program.placed[index]!.undefinedBefore;
}

const formatter = new iced.Formatter(iced.FormatterSyntax.Intel);

/** A listing with addresses and bytes. */
export function listing({ placed }: Program): string[] {
  return placed.map(({ code, rip, decoded }) => {
    const bytes = Array.from(decoded.bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');
    const decoder = new iced.Decoder(64, decoded.bytes, iced.DecoderOptions.None);
    decoder.ip = BigInt(rip);
    const instruction = decoder.decode();
    const text = formatter.format(instruction);
    instruction.free();
    decoder.free();
    return `${rip.toString(16)}  ${bytes.padEnd(32)} ${text}${code.form ? `    ; ${code.form.code}` : ''}`;
  });
}
