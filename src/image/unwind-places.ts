/**
 * How each place in an image's code is unwound, read from the file when it is first asked for. Walking stacks asks for the same
 * few places again and again; an image's bytes do not change, so neither do the answers.
 */
import { type EpilogStep, remainingEpilog } from './epilog.ts';
import type { Image, RuntimeFunction } from './image.ts';
import { type ChainLink, findFunction, unwindChain } from './unwind-info.ts';

export interface UnwindPlace {
  readonly entry: RuntimeFunction;
  /** Its unwind info, followed by those it continues. */
  readonly chain: readonly ChainLink[];
  /** What is left of the epilog the place lies in; undefined when it lies in none. */
  readonly epilog: readonly EpilogStep[] | undefined;
  /** How far above RSP the return address lies, where that is the same for every call: no frame pointer is set up. */
  readonly distance: number | undefined;
}

export class UnwindPlaces {
  private readonly known = new Map<number, UnwindPlace | undefined>();

  /** Undefined for a leaf function. Throws `ImageError` for damaged unwind data, each time. */
  at(image: Image, rva: number): UnwindPlace | undefined {
    const known = this.known.get(rva);
    if (known !== undefined || this.known.has(rva)) return known;
    const place = read(image, rva);
    this.known.set(rva, place);
    return place;
  }
}

function read(image: Image, rva: number): UnwindPlace | undefined {
  const entry = findFunction(image, rva);
  if (entry === undefined) return undefined;
  const chain = unwindChain(image, entry);
  const epilog = remainingEpilog(image, entry, chain[0]!.info, rva);
  return { entry, chain, epilog, distance: epilog === undefined ? fixedDistance(chain, rva - entry.begin) : undefined };
}

/** @param offset of the place in its function */
function fixedDistance(chain: readonly ChainLink[], offset: number): number | undefined {
  let distance = 0;
  for (const [index, { info }] of chain.entries()) {
    if (info.frameRegister !== 0) return undefined;
    for (const code of info.codes) {
      if (index === 0 && code.at > offset) continue;
      if (code.op === 'PUSH_MACHFRAME' || code.op === 'SET_FPREG') return undefined;
      if (code.op === 'PUSH_NONVOL') distance += 8;
      else if (code.op === 'ALLOC_SMALL' || code.op === 'ALLOC_LARGE') distance += code.size;
    }
  }
  return distance;
}
