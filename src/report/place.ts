/** Where a frame of a stack is: the one place that turns a Frame into words and, where known, into a line of source. */
import type { Frame, Stack } from '../trace/events.ts';

export interface SourceLine {
  /** As debug information names it, or the module itself for TypeScript. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

export interface Place {
  /** `NdisMRegisterInterruptEx`, `NicAcquireInterrupt+0x12 (nic.c:42)`, `NicEnable (nic.c:50, inlined)`, `nic.sys+0x22e7`. */
  readonly text: string;
  /** In the driver's own code, not in NDIS or the kernel. */
  readonly own: boolean;
  /** Name of the function, where there is one. */
  readonly fn?: string;
  readonly source?: SourceLine;
}

const SCRIPT = /\.[cm]?[jt]sx?$/;

/** What is at the end of a path of either system. */
export const baseName = (path: string): string => path.split(/[\\/]/).at(-1) ?? path;

/** A module's offset: bytes in an image, the line in a script. */
const inModule = ({ module, offset }: Frame): string =>
  SCRIPT.test(module) ? `${module}:${offset}` : `${module}+0x${offset.toString(16)}`;

function sourceOf({ file, line, module, offset }: Frame): SourceLine | undefined {
  if (file !== undefined && line !== undefined) return { file, line };
  return SCRIPT.test(module) && offset > 0 ? { file: module, line: offset } : undefined;
}

export function placeOf(frame: Frame): Place {
  const { name, offset } = frame;
  // Functions of NDIS and the kernel are known by name and have no code of their own.
  if (name !== undefined && offset === 0) return { text: name, own: false, fn: name };
  const source = sourceOf(frame);
  const where =
    frame.file === undefined || source === undefined ? inModule(frame) : `${baseName(source.file)}:${source.line}`;
  const further = frame.displacement === undefined ? '' : `+0x${frame.displacement.toString(16)}`;
  return {
    text: name === undefined ? where : `${name}${further} (${where}${frame.inlined === true ? ', inlined' : ''})`,
    own: true,
    ...(name === undefined ? {} : { fn: name }),
    ...(source === undefined ? {} : { source }),
  };
}

/** The innermost frame in the driver's own code. */
export const ownFrame = (stack: Stack): Frame | undefined => stack.find((frame) => placeOf(frame).own);

/** `NdisMRegisterInterruptEx ← nic.sys+0x22e7 ← nic.sys+0x2146`. */
export const trail = (stack: Stack, frames = 5): string =>
  stack
    .slice(0, frames)
    .map((frame) => placeOf(frame).text)
    .join(' ← ');
