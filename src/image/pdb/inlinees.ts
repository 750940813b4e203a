/**
 * Functions that were compiled into others: S_INLINESITE records inside a procedure, each with the code that came from it as
 * a small program ("binary annotations") that steps through code and lines.
 * Sources: Microsoft, microsoft-pdb, include/cvinfo.h (INLINESITESYM, BinaryAnnotationOpcode, CVUncompressData); what the
 * length of a range does to the next one is observed in the output of MSVC and clang.
 */
import type { Bytes } from './bytes.ts';
import type { FileId, InlineeLine } from './lines.ts';
import { eachRecord, Kind, type Procedure } from './symbols.ts';

const Op = {
  END: 0,
  CODE_OFFSET: 1,
  CHANGE_CODE_OFFSET_BASE: 2,
  CHANGE_CODE_OFFSET: 3,
  CHANGE_CODE_LENGTH: 4,
  CHANGE_FILE: 5,
  CHANGE_LINE_OFFSET: 6,
  CHANGE_CODE_OFFSET_AND_LINE_OFFSET: 11,
  CHANGE_CODE_LENGTH_AND_CODE_OFFSET: 12,
  LAST: 13,
} as const;

/** Deeper than compilers inline. */
const MAX_DEPTH = 256;

export interface InlineSite {
  /** Id of the function in the IPI stream. */
  readonly inlinee: number;
  readonly annotations: Bytes;
  readonly parent: InlineSite | undefined;
}

/** The sites of a procedure, each before those inside it. */
export function readInlineSites(records: Bytes, procedure: Procedure): InlineSite[] {
  const sites: InlineSite[] = [];
  const open: (InlineSite | undefined)[] = [];
  eachRecord(records, procedure.body, (kind, data, size) => {
    switch (kind) {
      case Kind.S_INLINESITE:
      case Kind.S_INLINESITE2: {
        const skipped = kind === Kind.S_INLINESITE ? 12 : 16;
        if (size < skipped || open.length >= MAX_DEPTH) throw records.error('have an inlined function that cannot be');
        const annotations = records.part(data + skipped, size - skipped);
        const site = { inlinee: records.u32(data + 8), annotations, parent: open.at(-1) };
        sites.push(site);
        open.push(site);
        return true;
      }
      // Blocks and separated code nest in the same way and are closed by the same records.
      case Kind.S_BLOCK32:
      case Kind.S_SEPCODE:
        if (open.length >= MAX_DEPTH) throw records.error('have blocks nested without end');
        open.push(open.at(-1));
        return true;
      case Kind.S_END:
      case Kind.S_INLINESITE_END:
      case Kind.S_PROC_ID_END:
        if (open.length === 0) return false;
        open.pop();
        return true;
      default:
        return true;
    }
  });
  return sites;
}

/**
 * Where in its source an inlined function is at a place of the code.
 * @param offset from the start of the procedure
 * @param start where its body is written: lines and files count from there
 * @returns undefined when the code there did not come from it
 */
export function siteLine(site: InlineSite, offset: number, start: InlineeLine): InlineeLine | undefined {
  const next = reader(site.annotations);
  let { file, line } = start;
  let code = 0;
  let base = 0;
  /** The last step: from where, and what it stood for; it ends with the next step or an explicit length. */
  let from: number | undefined;
  let at: { file: FileId; line: number } = start;
  const holds = (end: number) => from !== undefined && offset >= from && offset < end;
  for (let op = next(); op !== Op.END && op !== undefined; op = next()) {
    const operand = next();
    if (operand === undefined || op > Op.LAST) return undefined;
    switch (op) {
      case Op.CODE_OFFSET:
        code = operand;
        break;
      case Op.CHANGE_CODE_OFFSET_BASE:
        base = operand;
        break;
      case Op.CHANGE_CODE_OFFSET:
      case Op.CHANGE_CODE_OFFSET_AND_LINE_OFFSET: {
        if (op === Op.CHANGE_CODE_OFFSET) code += operand;
        else {
          code += operand & 0xf;
          line += signed(operand >>> 4);
        }
        if (holds(base + code)) return at;
        from = base + code;
        at = { file, line };
        break;
      }
      case Op.CHANGE_CODE_LENGTH:
        code += operand;
        if (holds(base + code)) return at;
        from = undefined;
        break;
      case Op.CHANGE_CODE_LENGTH_AND_CODE_OFFSET: {
        const delta = next();
        if (delta === undefined) return undefined;
        code += delta;
        if (holds(base + code)) return at;
        from = base + code;
        at = { file, line };
        if (holds(base + code + operand)) return at;
        from = undefined;
        break;
      }
      case Op.CHANGE_FILE:
        file = operand;
        break;
      case Op.CHANGE_LINE_OFFSET:
        line += signed(operand);
        break;
    }
  }
  return undefined;
}

/** The sign is the lowest bit. */
const signed = (value: number) => (value & 1 ? -(value >>> 1) : value >>> 1);

/** Gives one number after another: 7, 14 or 29 bits, told by the highest bits of the first byte. */
function reader(bytes: Bytes): () => number | undefined {
  let at = 0;
  return () => {
    if (at >= bytes.size) return undefined;
    const first = bytes.u8(at);
    const size = first < 0x80 ? 1 : first < 0xc0 ? 2 : first < 0xe0 ? 4 : 0;
    if (size === 0 || at + size > bytes.size) return undefined;
    let value = size === 1 ? first : size === 2 ? first & 0x3f : first & 0x1f;
    for (let index = 1; index < size; index++) value = value * 256 + bytes.u8(at + index);
    at += size;
    return value;
  };
}
