/**
 * Region to region without leaving WebAssembly. The address control goes to is looked up in a direct-mapped cache in the
 * engine's page; what is not there, TypeScript deals with.
 */
import { Body, Locals, zero } from './body.ts';
import { encodeModule, regionType, Type } from './emit.ts';
import { Layout, LOOKUP_ENTRIES } from './layout.ts';
import type { Frame } from './lift/frame.ts';
import { i32, i64, local, type Value } from './values.ts';

/** The cache line of an address: the same formula as `lookupAddress` writes. */
export function lookupIndex(low: number): number {
  return (low ^ (low >>> 14)) & (LOOKUP_ENTRIES - 1);
}

function lookupAddress(rip: Value): Value {
  const low = i32.wrap(rip);
  const mixed = i32.xor(low, i32.shr_u(low, i32.const(14)));
  return i32.shl(i32.and(mixed, i32.const(LOOKUP_ENTRIES - 1)), i32.const(4));
}

/** `(i32) -> ()` through the table; 0x11 call_indirect, 0x13 return_call_indirect. */
function callRegion(body: Body, opcode: 0x11 | 0x13, line: Value, cell: (offset: number) => number): void {
  body.put(i32.load(line, cell(Layout.lookup + 12)));
  body.put(i32.load(line, cell(Layout.lookup + 8)));
  body.bytes.push(opcode, 0, 0);
}

/** A module with `run`: goes on from region to region until TypeScript is needed. */
export function dispatcherModule(engine: number, memoryPages: number): Uint8Array {
  const cell = (offset: number) => engine + offset;
  const locals = new Locals(1);
  const rip = locals.declare(Type.i64);
  const line = locals.declare(Type.i32);
  const body = new Body(locals);
  body.block();
  body.loop();
  body.brIf(1, i32.lt_s(i32.or(i32.load(zero, cell(Layout.fuel)), i32.load(zero, cell(Layout.stop))), i32.const(0)));
  body.set(rip, i64.load(zero, cell(Layout.rip)));
  body.set(line, lookupAddress(local(Type.i64, rip)));
  body.brIf(1, i64.ne(i64.load(local(Type.i32, line), cell(Layout.lookup)), local(Type.i64, rip)));
  callRegion(body, 0x11, local(Type.i32, line), cell);
  body.brIf(0, i32.eqz(i32.load(zero, cell(Layout.site))));
  body.end();
  body.end();
  const run = { name: 'run', type: regionType, locals: locals.types, code: body.bytes };
  return encodeModule({ memoryPages, table: true, imports: [], functions: [run] });
}

/** The end of a region that calls the next one itself, with a tail call. */
export function tailDispatch(body: Body, frame: Frame): void {
  const cell = (offset: number) => frame.cell(offset);
  const rip = local(Type.i64, frame.rip);
  const line = local(Type.i32, frame.next);
  const stop = i32.load(zero, cell(Layout.stop));
  body.if(
    i32.eqz(i32.or(local(Type.i32, frame.site), i32.lt_s(i32.or(local(Type.i32, frame.fuel), stop), i32.const(0)))),
  );
  body.set(frame.next, lookupAddress(rip));
  body.if(i64.eq(i64.load(line, cell(Layout.lookup)), rip));
  callRegion(body, 0x13, line, cell);
  body.end();
  body.end();
}

/** Whether this host knows tail calls: a module that would not validate otherwise. */
export function hasTailCalls(): boolean {
  const body = new Body(new Locals(1));
  callRegion(body, 0x13, zero, (offset) => offset);
  const f = { name: 'f', type: regionType, locals: [], code: body.bytes };
  return WebAssembly.validate(encodeModule({ memoryPages: 1, table: true, imports: [], functions: [f] }));
}
