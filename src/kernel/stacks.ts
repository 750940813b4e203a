/**
 * Walks over the frames of a context: guest functions by their unwind data, imports the driver is inside of, and on from each
 * routine that TypeScript called to the one below it. Call stacks and exception dispatch are both made of it.
 */
import type { RuntimeFunction } from '../image/image.ts';
import { type UnwindContext, type UnwindRegisters, type UnwoundFrame, unwindFrame } from '../image/unwind.ts';
import type { Frame } from '../trace/events.ts';
import { type Address, at, fromBits, toBits } from '../trace/units.ts';
import { Register } from '../x64/cpu.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { type Activation, activationsOf, type FramePosition } from './activation.ts';
import type { HostCode } from './host-code.ts';
import type { Module, Modules } from './modules.ts';

export interface StackParts {
  readonly memory: GuestMemory;
  readonly code: HostCode;
  readonly modules: Modules;
}

export interface GuestFrame {
  readonly kind: 'guest';
  readonly position: FramePosition;
  readonly module: Module;
  readonly entry: RuntimeFunction | undefined;
  readonly establisher: Address;
  readonly handler: UnwoundFrame['handler'];
  /** Its caller. */
  readonly unwound: UnwindContext;
}

export type WalkStep =
  | GuestFrame
  /** The body of an import, or a place without code: the return address lies on top of the stack. */
  | { readonly kind: 'host' | 'nowhere'; readonly address: Address }
  /** The routine returns to TypeScript here; the walk goes on in the one below. */
  | { readonly kind: 'boundary'; readonly activation: Activation }
  /** The frame cannot be unwound. */
  | { readonly kind: 'damaged'; readonly activation: Activation; readonly why: string };

/** Frames a walk takes in one routine before it calls the stack damaged: more than a kernel stack holds. */
const MAX_FRAMES = 1000;

/** One walk, innermost frame first. */
export class StackWalk {
  private readonly parts: StackParts;
  private position: FramePosition | undefined;
  /** Frames since the walk entered the present routine. */
  private count = 0;

  constructor(parts: StackParts, start: Activation | undefined) {
    this.parts = parts;
    this.position = start === undefined ? undefined : positionOf(start);
  }

  /** Goes on from another place: where a collided unwind had come to. */
  moveTo(position: FramePosition): void {
    this.position = position;
    this.count = 0;
  }

  /** The next frame; undefined when there is none left. */
  step(): WalkStep | undefined {
    const { position } = this;
    if (position === undefined) return undefined;
    const { activation, rip } = position;
    if (rip === this.parts.code.returnAddress && this.count > 0) {
      this.outwards(activation);
      return { kind: 'boundary', activation };
    }
    try {
      if (this.count++ > MAX_FRAMES) throw new Error('it does not end');
      const module = this.parts.modules.at(rip);
      if (module === undefined) return this.pop(position);
      return this.unwind(position, module);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.outwards(activation);
      return { kind: 'damaged', activation, why: error.message };
    }
  }

  private unwind(position: FramePosition, module: Module): GuestFrame {
    const unwound = copyOf(position);
    const { entry, establisherFrame, handler } = leaveFunction(this.parts, unwound, module);
    this.position = { activation: position.activation, ...unwound };
    return { kind: 'guest', position, module, entry, establisher: establisherFrame, handler, unwound };
  }

  private pop(position: FramePosition): WalkStep {
    const popped = copyOf(position);
    const kind = leavePlace(this.parts, popped, this.count === 1);
    this.position = { activation: position.activation, ...popped };
    return { kind, address: position.rip };
  }

  private outwards(inner: Activation): void {
    const all = activationsOf(inner.context);
    const outer = all[all.indexOf(inner) - 1];
    this.position = outer === undefined ? undefined : positionOf(outer);
    this.count = 0;
  }
}

/** From a function's registers to its caller's, in place. */
function leaveFunction(parts: StackParts, registers: UnwindRegisters, module: Module): UnwoundFrame {
  const before = registers.gpr[Register.RSP] as bigint;
  const frame = unwindFrame(module.image, module.base, registers, (address) => read(parts, address));
  if ((registers.gpr[Register.RSP] as bigint) <= before) throw new Error('a frame has no size');
  return frame;
}

/** The same for code without unwind data: it has called nothing, so the return address is on top. */
function leavePlace(parts: StackParts, registers: UnwindRegisters, innermost: boolean): 'host' | 'nowhere' {
  const isHost = parts.code.holds(registers.rip);
  // Only what was called last can be such code: a return address that points nowhere is a damaged stack.
  if (!isHost && !innermost) throw new Error('a return address does not point to code');
  const rsp = fromBits(registers.gpr[Register.RSP] as bigint);
  registers.gpr[Register.RSP] = toBits(at(rsp, 8));
  registers.rip = fromBits(read(parts, rsp));
  return isHost ? 'host' : 'nowhere';
}

/** Only ordinary memory is read: a wild stack pointer must not reach a device's registers. */
function read({ memory }: StackParts, address: Address): bigint {
  if (!memory.readable(address, 8)) throw new Error('it leaves the stack');
  return memory.readU64(address);
}

function copyOf({ gpr, xmm, rip }: UnwindContext): UnwindRegisters {
  return { gpr: gpr.slice(), xmm: xmm.slice(), rip };
}

function positionOf(activation: Activation): FramePosition {
  return { activation, ...copyOf(activation) };
}

/** Frames of one routine that a trace shows. */
const SHOWN_FRAMES = 32;

/**
 * The call stack inside one routine, innermost first; a damaged stack ends early, what was found before is still true.
 * @param registers room to work in
 */
export function framesOf(parts: StackParts, activation: Activation, registers: UnwindRegisters): Frame[] {
  return framesByDistance(parts, activation) ?? framesByUnwinding(parts, activation, registers);
}

/**
 * The same by the stack pointer alone, a fraction of the work; undefined where a frame on the way needs more than that, or
 * anything is out of order.
 */
function framesByDistance({ memory, code, modules }: StackParts, activation: Activation): Frame[] | undefined {
  const frames: Frame[] = [];
  let { rip } = activation;
  let rsp = fromBits(activation.gpr[Register.RSP] as bigint);
  while (frames.length < SHOWN_FRAMES) {
    const innermost = frames.length === 0;
    if (rip === code.returnAddress && !innermost) return frames;
    const module = modules.at(rip);
    let distance: number | undefined = 0;
    if (module !== undefined) distance = distanceAt(module, rip);
    else if (!innermost || !code.holds(rip)) return undefined;
    if (distance === undefined) return undefined;
    frames.push(modules.frame(rip, !innermost));
    rsp = at(rsp, distance);
    if (!memory.readable(rsp, 8)) return undefined;
    rip = memory.readPointer(rsp);
    rsp = at(rsp, 8);
  }
  return frames;
}

function distanceAt({ image, base }: Module, rip: Address): number | undefined {
  try {
    return image.unwindPlaces.at(image, rip - base)?.distance;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return undefined;
  }
}

function framesByUnwinding(parts: StackParts, activation: Activation, registers: UnwindRegisters): Frame[] {
  registers.gpr.set(activation.gpr);
  registers.xmm.set(activation.xmm);
  registers.rip = activation.rip;
  const frames: Frame[] = [];
  try {
    while (frames.length < SHOWN_FRAMES) {
      const { rip } = registers;
      const innermost = frames.length === 0;
      if (rip === parts.code.returnAddress && !innermost) break;
      const module = parts.modules.at(rip);
      if (module === undefined) leavePlace(parts, registers, innermost);
      else leaveFunction(parts, registers, module);
      frames.push(parts.modules.frame(rip, !innermost));
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  return frames;
}
