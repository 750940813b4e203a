import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Body, Locals } from './body.ts';
import { encodeModule, Type } from './emit.ts';
import { conditionValue, FlagKind, type FlagState, materialise, packFlags, stateCode } from './flags.ts';
import { Rflags } from './layout.ts';
import { i32, local } from './values.ts';

/** Compiles, for one state, the packing of all flags and the sixteen conditions. */
function compile(state: FlagState) {
  const flags = { x: local(Type.i64, 0), y: local(Type.i64, 1), z: local(Type.i64, 2) };
  const params = [Type.i64, Type.i64, Type.i64];
  const f = (name: string, type: Type, write: (body: Body) => void) => {
    const body = new Body(new Locals(3));
    write(body);
    return { name, type: { params, results: [type] }, locals: [], code: body.bytes };
  };
  const functions = [
    f('pack', Type.i64, (body) => body.put(packFlags(Rflags.arithmetic, state, flags))),
    ...Array.from({ length: 16 }, (_, code) =>
      f(`c${code}`, Type.i32, (body) => body.put(i32.ne(conditionValue(code, state, flags), i32.const(0)))),
    ),
  ];
  const module = new WebAssembly.Module(encodeModule({ memoryPages: 1, table: false, imports: [], functions }));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Record<
    string,
    (...f: bigint[]) => number | bigint
  >;
}

/** What a condition code means, by the flags. */
function holds(code: number, flags: number): boolean {
  const { CF, ZF, SF, OF, PF } = Rflags;
  const less = !(flags & SF) !== !(flags & OF);
  const yes = [
    flags & OF, flags & CF, flags & ZF, flags & (CF | ZF), flags & SF, flags & PF, less, less || flags & ZF,
  ][code >> 1]; // biome-ignore format: eight pairs
  return code & 1 ? !yes : !!yes;
}

const sizes = [1, 2, 4, 8] as const;
const word = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0x7fffffffn, 0x80000000n, 2n ** 63n, 2n ** 64n - 1n),
);

for (const [name, kind] of Object.entries(FlagKind)) {
  test(`${name}: WebAssembly and bigint formulas agree, and conditions follow the flags`, () => {
    for (const size of sizes) {
      const state = { kind, size };
      const code = compile(state);
      fc.assert(
        fc.property(word, word, word, (a, b, c) => {
          const cut = (v: bigint) => BigInt.asUintN(size * 8, v);
          let [x, y, z] = [cut(a), cut(b), cut(c)];
          if (kind === FlagKind.packed) x = a & BigInt(Rflags.arithmetic);
          if (kind === FlagKind.carry) [x, y] = [a & BigInt(Rflags.arithmetic), b & 1n];
          if (kind === FlagKind.inc || kind === FlagKind.dec) y = b & 1n;
          if (kind === FlagKind.shl || kind === FlagKind.shr || kind === FlagKind.sar)
            y = (b % BigInt(Math.max(size * 8, 32) - 1)) + 1n;
          if (kind === FlagKind.adc) z = cut(x + y + (c & 1n));
          if (kind === FlagKind.sbb) z = cut(x - y - (c & 1n));
          const args = [x, y, z].map((v) => BigInt.asIntN(64, v));
          const flags = materialise(stateCode(state), x, y, z);
          expect(Number(code.pack!(...args)) & Rflags.arithmetic).toBe(flags);
          for (let condition = 0; condition < 16; condition++) {
            expect(code[`c${condition}`]!(...args) === 1).toBe(holds(condition, flags));
          }
        }),
        { numRuns: 200 },
      );
    }
  });
}
