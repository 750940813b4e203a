/** Drivers compiled and linked for real, judged by llvm-readobj and by walking their instructions. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Address } from '../trace/units.ts';
import type { Image } from './image.ts';
import { mapImage } from './map.ts';
import { readImage } from './read.ts';
import { importThunkTarget, readScopeTable } from './scope-table.ts';
import { type CompiledDriver, compileDriver, missingTools } from './testing/toolchain.ts';
import { disassemble, type WalkResult, walkFunction } from './testing/walk.ts';
import { readUnwindInfo, type UnwindCode, type UnwindInfo } from './unwind-info.ts';

const source = `
typedef unsigned long long u64;
typedef unsigned int u32;
__declspec(dllimport) int DbgPrint(const char *text, ...);
__declspec(dllimport) void *NdisAllocateMemory(u64 size);
__declspec(dllimport) double Measure(double value);
__declspec(dllimport) void Consume(void *buffer);
int __C_specific_handler();
int _fltused;

u64 __security_cookie = 0x2b992ddfa232;
void *check_pointer, *dispatch_pointer;
struct config {
  u32 size, stamp; u32 version, clear, set, timeout; u64 a[6]; u32 heap; u32 csd; u64 edit, cookie, seh, sehCount, check, dispatch;
  u64 table, count; u32 flags; u32 integrity[3];
};
const struct config _load_config_used = {
  sizeof(struct config), 0, 0, 0, 0, 0, {0}, 0, 0, 0, (u64)&__security_cookie, 0, 0, (u64)&check_pointer, (u64)&dispatch_pointer,
  0, 0, 0x100,
};
void *table[] = { &__security_cookie, &check_pointer, (void *)&Consume };

__attribute__((noinline)) int guarded(int *p) {
  int result = 0;
  __try { result = *p; DbgPrint("read"); } __except (1) { result = -1; }
  __try { DbgPrint("try"); *p = result; } __finally { DbgPrint("finally"); }
  return result;
}
__attribute__((noinline)) u64 large(u64 n) { char buffer[0x3000]; buffer[0] = n; Consume(buffer); return buffer[n & 0xfff]; }
__attribute__((noinline)) u64 huge(u64 n) { char buffer[0x90000]; buffer[0] = n; Consume(buffer); return buffer[n & 0xfff]; }
__attribute__((noinline)) u64 dynamic(u64 n) {
  char *buffer = __builtin_alloca(n); u64 i, sum = 0;
  Consume(buffer);
  for (i = 0; i < n; i++) { sum += buffer[i]; if (sum == 77) return DbgPrint("%d", buffer[i]); }
  return sum;
}
__attribute__((noinline)) double floating(double a, double b, double c, double d) {
  double x = Measure(a), y = Measure(b), z = Measure(c), w = Measure(d);
  for (int i = 0; i < 9; i++) x = Measure(x * y + z) * b + w * a;
  return x + y * c + z + w * d;
}
__attribute__((noinline)) u64 many(u64 a, u64 b, u64 c, u64 d) {
  u64 e = DbgPrint("1", a), f = DbgPrint("2", b), g = DbgPrint("3", c), h = DbgPrint("4", d), i = DbgPrint("5");
  if (a == 9) return (u64)NdisAllocateMemory(b + e);
  while (a--) { e += f * DbgPrint("6", g); f ^= h + i; g -= b; h += c; i ^= d; if (e == 12345) return i; }
  return e + f + g + h + i;
}
__attribute__((noinline, section("PAGE"))) int tail(void *p) { DbgPrint("tail"); return DbgPrint("jump", p); }
__attribute__((section("INIT"))) int DriverEntry(void *driver, void *path) {
  return guarded(driver) + large((u64)path) + huge(3) + dynamic(9) + floating(1, 2, 3, 4) + many(1, 2, 3, 4) + tail(table);
}
`;
const imports = {
  'ntoskrnl.exe': ['DbgPrint', 'Measure', 'Consume', '__C_specific_handler'],
  'NDIS.SYS': ['NdisAllocateMemory'],
};
const missing = missingTools.length > 0;
if (missing) {
  console.warn(
    `src/image: drivers compiled for real are NOT tested here, this machine has no ${missingTools.join(', ')}.`,
  );
}
const registers = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI'];

describe.skipIf(missing)('a driver compiled by clang and lld-link', () => {
  let driver: CompiledDriver;
  let image: Image;
  beforeAll(() => {
    driver = compileDriver(source, imports);
    image = readImage(driver.bytes);
  });
  afterAll(() => driver?.dispose());

  it('has the headers llvm-readobj reports', () => {
    const text = driver.readobj('--file-headers');
    const number = (name: string) => Number(new RegExp(`\\b${name}: (?:.*\\()?(0x[0-9A-F]+|\\d+)`).exec(text)?.[1]);
    expect(image.machine).toBe(number('Machine'));
    expect(image.entryPoint).toBe(number('AddressOfEntryPoint'));
    expect(image.sizeOfImage).toBe(number('SizeOfImage'));
    expect(image.sizeOfHeaders).toBe(number('SizeOfHeaders'));
    expect(Number(image.imageBase)).toBe(number('ImageBase'));
    expect(image.timestamp).toBe(Number(/TimeDateStamp: .*\((0x[0-9A-F]+)\)/.exec(text)?.[1]));
    expect(image.notes).toEqual([]);
  });

  it('has the sections, INIT discardable and PAGE pageable', () => {
    const listed = [
      ...driver.readobj('--sections').matchAll(/Name: (\S+) \(|VirtualSize: (\S+)|VirtualAddress: (\S+)/g),
    ];
    const ours = image.sections.flatMap(({ name, virtualSize, rva }) => [name, virtualSize, rva]);
    expect(ours).toEqual(listed.map(([, name, size, rva]) => name ?? Number(size ?? rva)));
    const byName = new Map(image.sections.map((section) => [section.name, section]));
    expect(byName.get('INIT')).toMatchObject({ executable: true, discardable: true, pageable: false });
    expect(byName.get('PAGE')).toMatchObject({ executable: true, discardable: false, pageable: true });
    expect(byName.get('.data')).toMatchObject({ writable: true, executable: false });
  });

  it('has the imports', () => {
    const text = driver.readobj('--coff-imports');
    const listed = [...text.matchAll(/ {2}(Name|Symbol|ImportAddressTableRVA): (\S+)/g)].map(([, , value]) => value!);
    const ours = image.imports.flatMap(({ name, symbols }) => [
      name,
      `0x${symbols[0]!.iat.toString(16).toUpperCase()}`,
      ...symbols.map((symbol) => symbol.name),
    ]);
    expect(ours).toEqual(listed);
  });

  it('has the relocations, and mapping applies them', () => {
    const listed = [...driver.readobj('--coff-basereloc').matchAll(/Type: DIR64\s+Address: (0x[0-9A-F]+)/g)];
    expect([...image.relocations.dir64]).toEqual(listed.map(([, address]) => Number(address)));
    expect(listed.length).toBeGreaterThan(3);
    const base = -0x7ff_ff00_0000 as Address;
    const before = new DataView(mapImage(image, image.imageBase).buffer);
    const after = new DataView(mapImage(image, base).buffer);
    for (const rva of image.relocations.dir64) {
      const moved = after.getBigUint64(rva, true) - before.getBigUint64(rva, true);
      expect(BigInt.asIntN(64, moved)).toBe(BigInt(base) - image.imageBase);
    }
  });

  it('has the load configuration and the PDB reference', () => {
    const text = driver.readobj('--coff-load-config');
    const cookie = BigInt(/SecurityCookie: (0x[0-9A-F]+)/.exec(text)![1]!);
    const check = BigInt(/GuardCFCheckFunction: (0x[0-9A-F]+)/.exec(text)![1]!);
    expect(image.loadConfig?.securityCookie).toBe(Number(cookie - image.imageBase));
    expect(image.loadConfig?.guardCheckPointer).toBe(Number(check - image.imageBase));
    const debug = driver.readobj('--coff-debug-directory');
    const guid = /PDBGUID: \(([^)]*)\)/.exec(debug)![1]!.split(' ').join('');
    const ours = image.debug.codeView!.guid.replaceAll('-', '');
    // The tool prints the GUID's bytes in file order.
    expect(ours.slice(16)).toBe(guid.slice(16));
    expect(image.debug.codeView!.path).toMatch(/driver\.pdb$/);
  });

  it('has the unwind data', () => {
    const text = driver.readobj('--unwind');
    const listed = [...text.matchAll(/0x[0-9A-F]+: (\w+.*)$/gm)].map(([, code]) => code!.replace(/\s+/g, ' '));
    const codes = image.functions.flatMap((entry) => describeCodes(readUnwindInfo(image, entry)));
    expect(codes.length).toBeGreaterThan(30);
    expect(codes).toEqual(listed);
    const addresses = [...text.matchAll(/(?:Start|End|UnwindInfo)Address: .*\((0x[0-9A-F]+)\)/g)].map(([, value]) =>
      Number(value),
    );
    const base = Number(image.imageBase);
    expect(image.functions.flatMap(({ begin, end, unwindInfo }) => [begin, end, unwindInfo])).toEqual(
      addresses.map((address) => (address > base ? address - base : address)),
    );
  });

  it('has the __try blocks', () => {
    const withHandler = image.functions.map((entry) => readUnwindInfo(image, entry)).filter((info) => info.handler);
    expect(withHandler.length).toBeGreaterThan(0);
    const records = withHandler.flatMap((info) => {
      expect(importThunkTarget(image, info.handler!.rva)).toEqual({
        dll: 'ntoskrnl.exe',
        name: '__C_specific_handler',
      });
      return readScopeTable(image, info.handler!.dataRva);
    });
    expect(records.some((record) => record.target !== 0)).toBe(true);
    expect(records.some((record) => record.target === 0 && record.handler > 1)).toBe(true);
    for (const record of records) expect(record.begin).toBeLessThan(record.end);
  });

  it('unwinds to its caller from every reachable instruction', () => {
    const code = disassemble(driver.path, image);
    const result: WalkResult = { checked: 0, regions: {}, problems: [] };
    for (const entry of image.functions) walkFunction(image, code, entry.begin, result);
    expect(result.problems).toEqual([]);
    expect(result.checked).toBeGreaterThan(300);
    expect(result.regions.prolog).toBeGreaterThan(20);
    expect(result.regions.epilog).toBeGreaterThan(20);
  });
});

/** As llvm-readobj prints unwind codes. */
function describeCodes(info: UnwindInfo): string[] {
  return info.codes.map((code) => describeCode(code, info));
}

function describeCode(code: UnwindCode, info: UnwindInfo): string {
  const name = (register: number) => registers[register] ?? `R${register}`;
  switch (code.op) {
    case 'PUSH_NONVOL':
      return `PUSH_NONVOL reg=${name(code.register)}`;
    case 'ALLOC_SMALL':
    case 'ALLOC_LARGE':
      return `${code.op} size=${code.size}`;
    case 'SET_FPREG':
      return `SET_FPREG reg=${name(info.frameRegister)}, offset=0x${info.frameOffset.toString(16).toUpperCase()}`;
    case 'SAVE_NONVOL':
    case 'SAVE_NONVOL_FAR':
      return `${code.op} reg=${name(code.register)}, offset=0x${code.offset.toString(16).toUpperCase()}`;
    case 'SAVE_XMM128':
    case 'SAVE_XMM128_FAR':
      return `${code.op} reg=XMM${code.register}, offset=0x${code.offset.toString(16).toUpperCase()}`;
    case 'PUSH_MACHFRAME':
      return `PUSH_MACHFRAME errcode=${code.errorCode ? 'yes' : 'no'}`;
  }
}
