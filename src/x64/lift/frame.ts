/**
 * The frame of a region function: which guest registers live in which local, and the places control can leave from.
 */
import type { Address } from '../../trace/units.ts';
import { type Body, Locals, StoreOp, zero } from '../body.ts';
import type { Instruction } from '../decode.ts';
import { Type } from '../emit.ts';
import type { FlagLocals, FlagState } from '../flags.ts';
import { Layout } from '../layout.ts';
import { i32, i64, local, type Value, v128 } from '../values.ts';

/** Why a region is left at an instruction, for the engine to deal with. */
export type SiteKind =
  /** An access the inline check does not let through. */
  | 'access'
  /** The slow path was taken and refused. */
  | 'refused'
  | 'budget'
  /** The instruction's helper shall execute it. */
  | 'helper'
  /** The entry wants the flags packed. */
  | 'flags'
  | 'unsupported'
  | 'exception';

/** A place control leaves from. What the engine needs to make the state exact. */
export interface Site {
  readonly kind: SiteKind;
  /** Undefined: where the guest's RIP cell says. */
  readonly rip: Address | undefined;
  /** Instructions of the block counted at its start that were not executed. */
  readonly unused: number;
  /** The flags' state there; undefined when no one can read them. */
  readonly state: FlagState | undefined;
  readonly instruction: Instruction | undefined;
  readonly vector?: number;
}

/** Facts about memory that go into the code. */
export interface MemoryLayout {
  readonly size: number;
  /** Offset of the engine's page. */
  readonly engine: number;
  /** Where guest addresses begin. */
  readonly base: number;
}

export class Frame {
  readonly locals = new Locals(1);
  readonly sites: Site[] = [];
  readonly memory: MemoryLayout;
  readonly fuel = this.locals.declare(Type.i32);
  readonly rip = this.locals.declare(Type.i64);
  readonly site = this.locals.declare(Type.i32);
  readonly flagKind = this.locals.declare(Type.i32);
  /** Selects the way at dispatch blocks. */
  readonly next = this.locals.declare(Type.i32);
  readonly flags: FlagLocals;
  private readonly flagIndex: readonly [number, number, number];
  private readonly gpr: (number | undefined)[] = [];
  private readonly xmm: (number | undefined)[] = [];
  private readonly facts: (number | undefined)[] = [];
  private readonly gprWritten: boolean[] = [];
  private readonly xmmWritten: boolean[] = [];

  constructor(memory: MemoryLayout) {
    this.memory = memory;
    const [x, y, z] = [1, 2, 3].map(() => this.locals.declare(Type.i64)) as [number, number, number];
    this.flagIndex = [x, y, z];
    this.flags = { x: local(Type.i64, x), y: local(Type.i64, y), z: local(Type.i64, z) };
  }

  readGpr(n: number): Value {
    return local(Type.i64, (this.gpr[n] ??= this.locals.declare(Type.i64)));
  }
  /** The local to set. */
  writeGpr(n: number): number {
    this.gprWritten[n] = true;
    return (this.gpr[n] ??= this.locals.declare(Type.i64));
  }
  readXmm(n: number): Value {
    return local(Type.v128, (this.xmm[n] ??= this.locals.declare(Type.v128)));
  }
  writeXmm(n: number): number {
    this.xmmWritten[n] = true;
    return (this.xmm[n] ??= this.locals.declare(Type.v128));
  }
  /** The offset that checks of a base register have proved: see checked.ts. */
  factLocal(register: number): number {
    return (this.facts[register] ??= this.locals.declare(Type.i32));
  }
  flagLocal(which: 0 | 1 | 2): number {
    return this.flagIndex[which];
  }

  addSite(site: Site): number {
    this.sites.push(site);
    return this.sites.length;
  }

  /** Offset of a cell of the engine's page, as a load or store immediate. */
  cell(offset: number): number {
    return this.memory.engine + offset;
  }

  /** Loads what the region touches. A register it only writes is loaded too: an early exit flushes it. */
  prologue(body: Body): void {
    body.set(this.fuel, i32.load(zero, this.cell(Layout.fuel)));
    this.gpr.forEach((index, n) => {
      if (index !== undefined) body.set(index, i64.load(zero, this.cell(Layout.gpr + 8 * n)));
    });
    this.xmm.forEach((index, n) => {
      if (index !== undefined) body.set(index, v128.load(zero, this.cell(Layout.xmm + 16 * n)));
    });
  }

  saveFlags(body: Body): void {
    [Layout.flagX, Layout.flagY, Layout.flagZ].forEach((at, i) => {
      body.store(StoreOp.i64, zero, local(Type.i64, this.flagIndex[i]!), this.cell(at));
    });
    body.store(StoreOp.i32, zero, local(Type.i32, this.flagKind), this.cell(Layout.flagKind));
  }

  /** Flushes what the region writes. */
  epilogue(body: Body): void {
    this.gprWritten.forEach((_, n) => {
      body.store(StoreOp.i64, zero, this.readGpr(n), this.cell(Layout.gpr + 8 * n));
    });
    this.xmmWritten.forEach((_, n) => {
      body.storeV128(zero, this.readXmm(n), this.cell(Layout.xmm + 16 * n));
    });
    body.store(StoreOp.i32, zero, local(Type.i32, this.fuel), this.cell(Layout.fuel));
    body.store(StoreOp.i32, zero, local(Type.i32, this.site), this.cell(Layout.site));
  }
}
