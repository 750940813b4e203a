import { describe, expect, it } from 'vitest';
import { type Address, at, fromBits } from '../trace/units.ts';
import { readImage } from './read.ts';
import { buildImage, CODE, pack, place, READ_ONLY } from './testing/build.ts';
import { type Unwound, virtualUnwind } from './unwind.ts';
import { findFunction } from './unwind-info.ts';

const BASE = -0x7ff_ff00_0000 as Address;
const STACK = 0xffff_8000_0000_1000n;
const [RBX, RSP, RBP, RDI, R14] = [3, 4, 5, 7, 14];

/** One function of 0x40 bytes at RVA 0x1000 with these bytes of UNWIND_INFO; a second one, at 0x1080, with others. */
function image(code: readonly number[], info: readonly number[], second: readonly number[] = [1, 0, 0, 0]) {
  const text = place(0x100, {
    0: new Uint8Array(0x40).fill(0x90),
    64: Uint8Array.of(0xc3),
    128: new Uint8Array(0x40).fill(0x90),
  });
  text.set(code);
  const data = place(0x100, {
    0: pack(0x1000, 0x1040, 0x2040, 0x1080, 0x10c0, 0x2080),
    64: Uint8Array.from(info),
    128: Uint8Array.from(second),
  });
  return readImage(
    buildImage({
      sections: [
        { name: '.text', rva: 0x1000, data: text, characteristics: CODE },
        { name: '.rdata', rva: 0x2000, data, characteristics: READ_ONLY },
      ],
      directories: { EXCEPTION: [0x2000, 24] },
    }),
  );
}

/** Unwinds from `rva` with `stack` (8-byte slots from RSP up). */
function unwind(
  where: ReturnType<typeof image>,
  rva: number,
  stack: readonly number[],
  registers: Readonly<Record<number, bigint>> = {},
): Unwound {
  const gpr = new BigUint64Array(16).fill(0xeeeen);
  gpr[RSP] = STACK;
  for (const [index, value] of Object.entries(registers)) gpr[Number(index)] = value;
  const context = { gpr, xmm: new BigUint64Array(32), rip: at(BASE, rva) };
  return virtualUnwind(where, BASE, context, (address, size) => {
    expect(size).toBe(8);
    return BigInt(stack[(address - fromBits(STACK)) / 8] ?? 0xdead);
  });
}

/** What came out, as numbers: RIP, how far RSP moved, and a register. */
function summary(result: Unwound, register = RBX) {
  return [
    result.region,
    result.context.rip,
    Number(result.context.gpr[RSP]! - STACK),
    Number(result.context.gpr[register]),
  ];
}

/** push rbx; sub rsp, 0x20 */
const plain = [0x01, 0x05, 0x02, 0x00, 0x05, 0x32, 0x01, 0x30];
const plainCode = [0x53, 0x48, 0x83, 0xec, 0x20];

describe('a function without a frame pointer', () => {
  it('is undone as far as its prolog has come', () => {
    const where = image(plainCode, plain);
    expect(summary(unwind(where, 0x1000, [77]))).toEqual(['prolog', 77, 8, 0xeeee]);
    expect(summary(unwind(where, 0x1001, [5, 77]))).toEqual(['prolog', 77, 16, 5]);
    expect(summary(unwind(where, 0x1005, [0, 0, 0, 0, 5, 77]))).toEqual(['body', 77, 48, 5]);
    expect(unwind(where, 0x1010, [0, 0, 0, 0, 5, 77]).establisherFrame).toBe(fromBits(STACK));
  });

  it('is a leaf when no entry covers it', () => {
    const where = image(plainCode, plain);
    expect(findFunction(where, 0x103f)).toEqual({ begin: 0x1000, end: 0x1040, unwindInfo: 0x2040 });
    expect(findFunction(where, 0x1040)).toBeUndefined();
    expect(summary(unwind(where, 0x1040, [77]))).toEqual(['leaf', 77, 8, 0xeeee]);
  });

  const tails: readonly [string, readonly number[], boolean][] = [
    ['ret', [0xc3], true],
    ['ret n', [0xc2, 8, 0], true],
    ['rep ret', [0xf3, 0xc3], true],
    ['bnd ret', [0xf2, 0xc3], true],
    ['a short jump within the function', [0xeb, 0x05], false],
    ['a short jump to its start', [0xeb, 0x100 - 0x18], true],
    ['a jump to a leaf', [0xe9, 0x29 - 5 + 4, 0, 0, 0], true],
    ['a jump to another function', [0xe9, 0x70, 0, 0, 0], true],
    ['a jump through an import', [0xff, 0x25, 0, 0, 0, 0], true],
    ['a tail call by register', [0x48, 0xff, 0xe0], true],
    ['a switch', [0xff, 0xe0], false],
    ['something else', [0x90, 0xc3], false],
  ];
  it.each(tails)('has an epilog that ends in %s', (_, tail, isEpilog) => {
    // 0x1010: add rsp, 0x20; pop rbx; (0x1015) the tail, padded so that short jumps count from 0x1017.
    const code = [...plainCode, ...new Array<number>(11).fill(0x90), 0x48, 0x83, 0xc4, 0x20, 0x5b, ...tail];
    const where = image(code, plain);
    const stack = [0, 0, 0, 0, 5, 77];
    expect(summary(unwind(where, 0x1010, stack))).toEqual([isEpilog ? 'epilog' : 'body', 77, 48, 5]);
    if (isEpilog) {
      expect(summary(unwind(where, 0x1014, [5, 77]))).toEqual(['epilog', 77, 16, 5]);
      expect(summary(unwind(where, 0x1015, [77]))).toEqual(['epilog', 77, 8, 0xeeee]);
    }
  });
});

describe('a function with a frame pointer', () => {
  // push rbp; push r14; sub rsp, 0x80; lea rbp, [rsp+0x40]; saves rdi at +0x18 and xmm6 at +0x20; has handlers.
  const info = [
    [0x19, 0x10, 0x08, 0x45],
    [0x10, 0x68, 0x02, 0x00],
    [0x10, 0x74, 0x03, 0x00],
    [0x0f, 0x03, 0x0a, 0xf2],
    [0x03, 0xe0, 0x01, 0x50],
    [0x00, 0x15, 0, 0],
    [1, 0, 0, 0],
  ].flat();
  const where = image([0x55, 0x41, 0x56], info);
  const frame = STACK + 0x40n;
  const stack = [0, 0, 0, 3, 6, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 50, 77];

  it('is undone from the frame pointer, whatever RSP is', () => {
    const result = unwind(where, 0x1020, stack, { [RSP]: STACK - 0x500n, [RBP]: frame });
    expect(summary(result, R14)).toEqual(['body', 77, 0x98, 14]);
    expect(result.context.gpr[RBP]).toBe(50n);
    expect(result.context.gpr[RDI]).toBe(3n);
    expect([...result.context.xmm.subarray(12, 14)]).toEqual([6n, 9n]);
    expect(result.establisherFrame).toBe(fromBits(STACK));
    expect(result.handler).toEqual({ rva: 0x1500, dataRva: 0x2058, exception: true, termination: true });
  });

  it('has no handler in its prolog, and no frame before it is set', () => {
    const result = unwind(where, 0x100a, stack, { [RBP]: 0x1234n });
    expect(summary(result, RBP)).toEqual(['prolog', 77, 0x98, 50]);
    expect(result.handler).toBeUndefined();
    const set = unwind(where, 0x100f, stack, { [RBP]: frame });
    expect(set.establisherFrame).toBe(fromBits(STACK));
  });

  it('has an epilog that begins with lea', () => {
    // lea rsp, [rbp+0x40]; pop r14; pop rbp; ret
    const code = [...new Array<number>(0x20).fill(0x90), 0x48, 0x8d, 0x65, 0x40, 0x41, 0x5e, 0x5d, 0xc3];
    const result = unwind(image(code, info), 0x1020, stack, { [RSP]: STACK - 0x500n, [RBP]: frame });
    expect(summary(result, R14)).toEqual(['epilog', 77, 0x98, 14]);
    expect(result.handler).toBeUndefined();
  });
});

describe('version 2', () => {
  // Epilogs of 4 bytes (pop rbx; pop r14; ret): one at the end, one 0x20 before it. push r14; push rbx; sub rsp, 0x20.
  const info = [0x02, 0x07, 0x05, 0x00, 0x04, 0x16, 0x20, 0x06, 0x07, 0x32, 0x03, 0x30, 0x02, 0xe0, 0, 0];
  const where = image([], info);

  it('says where epilogs are; the code does not count', () => {
    expect(summary(unwind(where, 0x1020, [5, 14, 77]))).toEqual(['epilog', 77, 24, 5]);
    expect(summary(unwind(where, 0x103d, [14, 77]), R14)).toEqual(['epilog', 77, 16, 14]);
    expect(summary(unwind(where, 0x103f, [77]), R14)).toEqual(['epilog', 77, 8, 0xeeee]);
    expect(summary(unwind(where, 0x1024, [0, 0, 0, 0, 5, 14, 77]))).toEqual(['body', 77, 56, 5]);
    const ret = [...new Array<number>(0x28).fill(0x90), 0xc3];
    expect(unwind(image(ret, info), 0x1028, [0, 0, 0, 0, 5, 14, 77]).region).toBe('body');
  });

  it('skips padding among the epilog codes', () => {
    const padded = [0x02, 0x05, 0x04, 0x00, 0x02, 0x16, 0x00, 0x06, 0x05, 0x32, 0x01, 0x30];
    expect(summary(unwind(image([], padded), 0x1000, [77]))).toEqual(['prolog', 77, 8, 0xeeee]);
    expect(summary(unwind(image([], padded), 0x103e, [5, 77]))).toEqual(['epilog', 77, 16, 5]);
  });
});

describe('other shapes', () => {
  it('a function in two pieces: the second is undone, then all of the first', () => {
    // At 0x1080: saves rdi at +0x10 in its own prolog of 4 bytes, chained to the first function.
    const chained = [
      0x21, 0x04, 0x02, 0x00, 0x04, 0x74, 0x02, 0x00, 0x00, 0x10, 0, 0, 0x40, 0x10, 0, 0, 0x40, 0x20, 0, 0,
    ];
    const where = image(plainCode, plain, chained);
    const early = unwind(where, 0x1080, [0, 0, 70, 0, 5, 77]);
    expect(summary(early)).toEqual(['body', 77, 48, 5]);
    expect(early.context.gpr[RDI]).toBe(0xeeeen);
    expect(unwind(where, 0x1090, [0, 0, 70, 0, 5, 77]).context.gpr[RDI]).toBe(70n);
  });

  it('a jump between the pieces of a function is not an epilog', () => {
    const chained = [0x21, 0, 0, 0, 0x00, 0x10, 0, 0, 0x40, 0x10, 0, 0, 0x40, 0x20, 0, 0];
    const jump = [...plainCode, 0xe9, 0x100 - 10 + 0x90 - 0x100, 0, 0, 0];
    expect(unwind(image(jump, plain, chained), 0x1005, [0, 0, 0, 0, 5, 77]).region).toBe('body');
    expect(unwind(image(jump, plain), 0x1005, [77]).region).toBe('epilog');
  });

  it('a trap frame, without and with an error code', () => {
    const trap = (errorCode: number) => image([], [0x01, 0x01, 0x02, 0x00, 0x01, 0x02, 0x00, (errorCode << 4) | 0x0a]);
    const plainTrap = unwind(trap(0), 0x1010, [0, 77, 0x10, 0x246, 0x5000, 0x18]);
    expect([plainTrap.context.rip, plainTrap.context.gpr[RSP], plainTrap.machineFrame]).toEqual([77, 0x5000n, true]);
    const withCode = unwind(trap(1), 0x1010, [0, 0xc, 77, 0x10, 0x246, 0x5000, 0x18]);
    expect([withCode.context.rip, withCode.context.gpr[RSP], withCode.machineFrame]).toEqual([77, 0x5000n, true]);
  });

  it('large allocations and far saves', () => {
    // mov [rsp+0x80010], rbx; sub rsp, 0x80020 (unscaled); sub rsp, 0x88 (scaled)
    const info = [
      0x01, 0x10, 0x08, 0x00, 0x10, 0x35, 0x10, 0x00, 0x08, 0x00, 0x0c, 0x11, 0x20, 0x00, 0x08, 0x00, 0x05, 0x01, 0x11,
      0x00,
    ];
    const stack: number[] = [];
    stack[0x80010 / 8] = 5;
    stack[(0x80020 + 0x88) / 8] = 77;
    expect(summary(unwind(image([], info), 0x1010, stack))).toEqual(['body', 77, 0x80020 + 0x88 + 8, 5]);
  });

  it('damaged data is refused by name', () => {
    const refused = (info: readonly number[]) => () => unwind(image([], info), 0x1010, []);
    const name = 'the unwind data of the function at RVA 0x1000';
    expect(refused([0x01, 0, 1, 0, 0, 0x06])).toThrow(`${name} has the undefined unwind code 6.`);
    expect(refused([0x01, 0, 1, 0, 0, 0x01])).toThrow(`${name} ends in the middle of an unwind code.`);
    expect(refused([0x01, 0, 1, 0, 0, 0x03])).toThrow(`${name} sets a frame pointer without naming it.`);
    expect(refused([0x29, 0, 0, 0])).toThrow(
      `${name} is chained and has a handler of its own, which exclude each other.`,
    );
    const itself = [0x21, 0, 0, 0, 0x00, 0x10, 0, 0, 0x40, 0x10, 0, 0, 0x40, 0x20, 0, 0];
    expect(refused(itself)).toThrow(`${name} is chained to itself.`);
  });
});
