/**
 * A function body being written: bytes, locals, and branches whose depth is known only when the pieces are put together.
 */
import { type Type, unsigned } from './emit.ts';
import { i32, local, type Value } from './values.ts';

/** Where a piece of code may leave to. `flags`: the epilogue that keeps the flag locals; `leave`: the one that does not. */
export type Label = 'flags' | 'leave';

interface Fixup {
  /** Position of a three-byte branch depth. */
  at: number;
  readonly label: Label;
  /** Blocks opened inside the piece at that place. */
  readonly depth: number;
}

/** The locals of one function. Temporaries are taken and given back, per instruction. */
export class Locals {
  readonly types: Type[] = [];
  private readonly free = new Map<Type, number[]>();
  private readonly taken: { type: Type; index: number }[] = [];
  private readonly params: number;

  constructor(params: number) {
    this.params = params;
  }

  /** A local for the whole function. */
  declare(type: Type): number {
    this.types.push(type);
    return this.params + this.types.length - 1;
  }

  /** A local until the next `release`. */
  temporary(type: Type): number {
    const index = this.free.get(type)?.pop() ?? this.declare(type);
    this.taken.push({ type, index });
    return index;
  }

  release(): void {
    for (const { type, index } of this.taken) {
      const list = this.free.get(type);
      if (list) list.push(index);
      else this.free.set(type, [index]);
    }
    this.taken.length = 0;
  }
}

export const StoreOp = { i32: 0x36, i64: 0x37, i32_8: 0x3a, i32_16: 0x3b } as const;

export class Body {
  readonly bytes: number[] = [];
  readonly locals: Locals;
  private readonly fixups: Fixup[] = [];
  private depth = 0;

  constructor(locals: Locals) {
    this.locals = locals;
  }

  /** Writes a value: it is on the operand stack then. */
  put(value: Value): void {
    const { bytes } = this;
    for (const part of value.parts) {
      if (typeof part === 'number') bytes.push(part);
      else this.put(part);
    }
  }

  set(index: number, value: Value): void {
    this.put(value);
    this.bytes.push(0x21);
    unsigned(this.bytes, index);
  }

  /** Computes a value now, into a temporary; a constant stays what it is. */
  keep(value: Value): Value {
    if (value.constant !== undefined) return value;
    const index = this.locals.temporary(value.type);
    this.set(index, value);
    return local(value.type, index);
  }

  /** Stores by opcode: see StoreOp. */
  store(op: number, address: Value, value: Value, offset = 0): void {
    this.put(address);
    this.put(value);
    this.bytes.push(op, 0);
    unsigned(this.bytes, offset);
  }

  storeV128(address: Value, value: Value, offset = 0): void {
    this.put(address);
    this.put(value);
    this.bytes.push(0xfd, 11, 0);
    unsigned(this.bytes, offset);
  }

  if(condition: Value): void {
    this.put(condition);
    this.bytes.push(0x04, 0x40);
    this.depth++;
  }
  else(): void {
    this.bytes.push(0x05);
  }
  block(): void {
    this.bytes.push(0x02, 0x40);
    this.depth++;
  }
  loop(): void {
    this.bytes.push(0x03, 0x40);
    this.depth++;
  }
  end(): void {
    this.bytes.push(0x0b);
    this.depth--;
  }
  /** Branches to the n-th enclosing block of this piece. */
  br(depth: number): void {
    this.bytes.push(0x0c);
    unsigned(this.bytes, depth);
  }
  brIf(depth: number, condition: Value): void {
    this.put(condition);
    this.bytes.push(0x0d);
    unsigned(this.bytes, depth);
  }
  brTable(selector: Value, depths: readonly number[], otherwise: number): void {
    this.put(selector);
    this.bytes.push(0x0e);
    unsigned(this.bytes, depths.length);
    for (const depth of [...depths, otherwise]) unsigned(this.bytes, depth);
  }
  unreachable(): void {
    this.bytes.push(0x00);
  }
  drop(value: Value): void {
    this.put(value);
    this.bytes.push(0x1a);
  }

  /** Branches out of the piece, to a label the function's frame provides. */
  leaveTo(label: Label): void {
    this.bytes.push(0x0c);
    this.fixups.push({ at: this.bytes.length, label, depth: this.depth });
    this.bytes.push(0x80, 0x80, 0x00);
  }

  /** Puts a finished piece in front of what is written. */
  prepend(piece: Body): void {
    const by = piece.bytes.length;
    for (const fixup of this.fixups) fixup.at += by;
    this.fixups.unshift(...piece.fixups);
    this.bytes.unshift(...piece.bytes);
  }

  /** Appends a finished piece; `depthOf` tells how many blocks of this body a label's target is away. */
  append(piece: Body, depthOf: (label: Label) => number): void {
    const start = this.bytes.length;
    for (const byte of piece.bytes) this.bytes.push(byte);
    for (const { at, label, depth } of piece.fixups) {
      const value = depth + depthOf(label);
      this.bytes[start + at] = (value & 0x7f) | 0x80;
      this.bytes[start + at + 1] = ((value >> 7) & 0x7f) | 0x80;
      this.bytes[start + at + 2] = (value >> 14) & 0x7f;
    }
  }
}

/** A constant address: engine cells are addressed as offset from zero. */
export const zero = i32.const(0);
