/**
 * Is this instruction inside an epilog, and if so, what does the rest of the epilog do?
 * Version 1 unwind data does not say where epilogs are: code from RIP on is compared with the few forms an epilog may have
 * (Microsoft, "x64 prolog and epilog", https://learn.microsoft.com/cpp/build/prolog-and-epilog). Which jumps count is as the
 * .NET runtime's copy of Windows' unwinder has it: observed. Version 2 lists epilogs; they mirror the prolog's pushes.
 */
import type { Image, RuntimeFunction } from './image.ts';
import { findFunction, primaryFunction, type UnwindInfo, unwindChain } from './unwind-info.ts';

/** What is left of an epilog before its `ret`, `jmp` or `iretq`, in order. */
export type EpilogStep =
  /** `add rsp, n` */
  | { readonly kind: 'add'; readonly bytes: number }
  /** `lea rsp, [frame + n]` */
  | { readonly kind: 'lea'; readonly register: number; readonly displacement: number }
  | { readonly kind: 'pop'; readonly register: number }
  /** The function was entered through a trap: its epilog ends in `iretq`. */
  | { readonly kind: 'machine-frame' };

/** The steps from `rva` to the end of the epilog it lies in; undefined when it lies in none. */
export function remainingEpilog(
  image: Image,
  entry: RuntimeFunction,
  info: UnwindInfo,
  rva: number,
): EpilogStep[] | undefined {
  return info.version === 1 ? fromCode(image, entry, info, rva) : fromCodes(image, entry, info, rva);
}

/** Observed: no real epilog pops more than the nine nonvolatile registers; a run of pops is not followed further. */
const MAX_POPS = 16;

function fromCode(image: Image, entry: RuntimeFunction, info: UnwindInfo, rva: number): EpilogStep[] | undefined {
  const byte = (offset: number) => codeByte(image, rva + offset);
  const int32 = (offset: number) =>
    byte(offset) | (byte(offset + 1) << 8) | (byte(offset + 2) << 16) | (byte(offset + 3) << 24);
  const steps: EpilogStep[] = [];
  let at = 0;

  if (byte(0) === 0x48 && byte(1) === 0x83 && byte(2) === 0xc4) {
    steps.push({ kind: 'add', bytes: (byte(3) << 24) >> 24 });
    at = 4;
  } else if (byte(0) === 0x48 && byte(1) === 0x81 && byte(2) === 0xc4) {
    steps.push({ kind: 'add', bytes: int32(3) });
    at = 7;
  } else if ((byte(0) & 0xfe) === 0x48 && byte(1) === 0x8d) {
    // lea rsp, [frame register + disp8 or disp32]; ModRM.reg is RSP, REX.B and ModRM.rm are the base.
    const register = ((byte(0) & 1) << 3) | (byte(2) & 7);
    const form = byte(2) & 0xf8;
    if (register !== 0 && register === info.frameRegister && (form === 0x60 || form === 0xa0)) {
      steps.push({ kind: 'lea', register, displacement: form === 0x60 ? (byte(3) << 24) >> 24 : int32(3) });
      at = form === 0x60 ? 4 : 7;
    }
  }
  for (let pops = 0; pops < MAX_POPS; pops++) {
    const rex = (byte(at) & 0xf0) === 0x40 ? byte(at) : 0;
    const opcode = at + (rex === 0 ? 0 : 1);
    if ((byte(opcode) & 0xf8) !== 0x58) break;
    steps.push({ kind: 'pop', register: ((rex & 1) << 3) | (byte(opcode) & 7) });
    at = opcode + 1;
  }
  // BND (MPX) or REPNE may stand before the transfer and changes nothing here.
  if (byte(at) === 0xf2) at += 1;

  const opcode = byte(at);
  if (opcode === 0xc3 || opcode === 0xc2 || (opcode === 0xf3 && byte(at + 1) === 0xc3)) return steps;
  if (opcode === 0xeb)
    return leaves(image, entry, info, rva + at + 2 + ((byte(at + 1) << 24) >> 24)) ? steps : undefined;
  if (opcode === 0xe9) return leaves(image, entry, info, rva + at + 5 + int32(at + 1)) ? steps : undefined;
  // jmp [rip + n]: a tail call to an import.
  if (opcode === 0xff && byte(at + 1) === 0x25) return steps;
  // Any other indirect jump is a tail call only with a (redundant) REX.W, which compilers add for this very purpose;
  // without it, it is a switch.
  if ((opcode & 0xf8) === 0x48 && byte(at + 1) === 0xff && (byte(at + 2) & 0x38) === 0x20) return steps;
  return undefined;
}

/** A jump out of the function, or back to its very start, is a tail call; any other stays in the body. */
function leaves(image: Image, entry: RuntimeFunction, info: UnwindInfo, target: number): boolean {
  if (target >= entry.begin && target < entry.end) return target === entry.begin && info.chained === undefined;
  // A function may be in several pieces, all chained to the same primary entry.
  const other = findFunction(image, target);
  if (!other) return true;
  const primary = primaryFunction(image, entry);
  return primaryFunction(image, other).begin !== primary.begin || target === primary.begin;
}

function fromCodes(image: Image, entry: RuntimeFunction, info: UnwindInfo, rva: number): EpilogStep[] | undefined {
  const { epilogs } = info;
  if (!epilogs) return undefined;
  const starts = [...(epilogs.atEnd ? [epilogs.size] : []), ...epilogs.fromEnd].map((distance) => entry.end - distance);
  const start = starts.find((begin) => rva >= begin && rva < begin + epilogs.size);
  if (start === undefined) return undefined;

  // Freeing the fixed allocation is not part of a version 2 epilog; what is left undoes the pushes, one pop each, and they may
  // be recorded in a parent of a chained function.
  const isPush = (code: { readonly op: string }) => code.op === 'PUSH_NONVOL' || code.op === 'PUSH_MACHFRAME';
  const holder = unwindChain(image, entry).find((link) => link.info.codes.some(isPush));
  if (!holder) return [];
  const codes = holder.info.codes.slice(holder.info.codes.findIndex(isPush));
  const steps: EpilogStep[] = [];
  let offset = start;
  for (const code of codes) {
    if (code.op === 'PUSH_NONVOL') {
      if (offset >= rva) steps.push({ kind: 'pop', register: code.register });
      offset += code.register >= 8 ? 2 : 1;
    } else if (code.op === 'ALLOC_SMALL' && code.size === 8) {
      // pushfq in the prolog, popped into a volatile register of one byte's encoding.
      if (offset >= rva) steps.push({ kind: 'add', bytes: 8 });
      offset += 1;
    } else if (code.op === 'PUSH_MACHFRAME') {
      steps.push({ kind: 'machine-frame' });
      break;
    } else break;
  }
  return steps;
}

/** Code as the file has it; 0 (no epilog form) where there is none. */
function codeByte(image: Image, rva: number): number {
  const span = image.layout.find(rva);
  const offset = span ? rva - span.rva : 0;
  return span && offset < span.fileSize ? image.layout.file[span.fileOffset + offset]! : 0;
}
