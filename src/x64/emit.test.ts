import { expect, test } from 'vitest';
import { Body, Locals } from './body.ts';
import { encodeModule, signed32, signed64, Type, unsigned } from './emit.ts';
import { i32, i64, local, type Value } from './values.ts';

const bytes = (write: (out: number[]) => void): number[] => {
  const out: number[] = [];
  write(out);
  return out;
};

test('LEB128 numbers have their shortest form', () => {
  expect(bytes((o) => unsigned(o, 624485))).toEqual([0xe5, 0x8e, 0x26]);
  expect(bytes((o) => unsigned(o, 0x8000_0000))).toEqual([0x80, 0x80, 0x80, 0x80, 0x08]);
  expect(bytes((o) => signed32(o, -1))).toEqual([0x7f]);
  expect(bytes((o) => signed32(o, 64))).toEqual([0xc0, 0x00]);
  expect(bytes((o) => signed64(o, -(2n ** 63n)))).toEqual([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]);
  expect(bytes((o) => signed64(o, 2n ** 63n - 1n))).toEqual([
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00,
  ]);
});

function run(type: Type, write: (body: Body) => Value): unknown {
  const body = new Body(new Locals(0));
  body.put(write(body));
  const f = { name: 'f', type: { params: [], results: [type] }, locals: body.locals.types, code: body.bytes };
  const module = new WebAssembly.Module(encodeModule({ memoryPages: 1, table: false, imports: [], functions: [f] }));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  return (new WebAssembly.Instance(module, { env: { memory } }).exports.f as () => unknown)();
}

test('constants survive the trip at the edges of their ranges', () => {
  for (const n of [0, 1, -1, 63, 64, -64, -65, 0x7fffffff, -0x80000000])
    expect(run(Type.i32, () => i32.const(n))).toBe(n);
  for (const n of [0n, -1n, 2n ** 31n, -(2n ** 31n) - 1n, 2n ** 62n, -(2n ** 63n), 2n ** 63n - 1n]) {
    expect(run(Type.i64, () => i64.const(n))).toBe(n);
  }
});

test('temporaries of different types do not share locals, and come back after release', () => {
  const value = run(Type.i64, (body) => {
    const a = body.keep(i64.add(i64.const(40n), i64.const(1n)));
    const b = body.keep(i32.add(i32.const(1), i32.const(0)));
    return i64.add(a, i64.extend_u(b));
  });
  expect(value).toBe(42n);
  const locals = new Locals(0);
  const first = locals.temporary(Type.i32);
  locals.release();
  expect(locals.temporary(Type.i32)).toBe(first);
  expect(locals.temporary(Type.i64)).not.toBe(first);
});

test('a branch out of a piece finds its label whatever blocks surround it', () => {
  const value = run(Type.i32, (body) => {
    const result = body.locals.declare(Type.i32);
    const piece = new Body(body.locals);
    piece.if(i32.const(1));
    piece.leaveTo('leave');
    piece.end();
    body.block();
    body.block();
    body.block();
    body.append(piece, (label) => (label === 'leave' ? 1 : 2));
    body.end();
    body.set(result, i32.const(1));
    body.end();
    body.set(result, i32.or(local(Type.i32, result), i32.const(2)));
    body.end();
    return local(Type.i32, result);
  });
  expect(value).toBe(2);
});
