/**
 * What a driver asks of the system as a whole: its version, routines by name, whether a verifier runs, random numbers, and to
 * be stopped. Pages: wdm-rtlgetversion, wdm-rtlverifyversioninfo, wdm-mmgetsystemroutineaddress, wdm-kebugcheckex, …
 */
import { type Address, hex, NULL } from '../trace/units.ts';
import { Shadow } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { bytes, struct, u8, u16, u32 } from './layout.ts';
import { ANY, D, functionsOf, IN, OUT, P, POINTER, UCHAR, ULONG, ULONG64 } from './record.ts';
import { WINDOWS } from './shared-user-data.ts';
import { Status } from './status.ts';
import { BugCheck } from './stops.ts';
import { UNICODE_STRING, unicodeText } from './strings.ts';

export const OSVERSIONINFOEXW = struct('OSVERSIONINFOEXW', {
  dwOSVersionInfoSize: u32,
  dwMajorVersion: u32,
  dwMinorVersion: u32,
  dwBuildNumber: u32,
  dwPlatformId: u32,
  szCSDVersion: bytes(256, 2),
  wServicePackMajor: u16,
  wServicePackMinor: u16,
  wSuiteMask: u16,
  wProductType: u8,
  wReserved: u8,
});
/** Bytes of the structure without the fields that `EX` adds. */
const OSVERSIONINFOW_SIZE = 276;
const PLATFORM_WIN32_NT = 2;
const PRODUCT_WORKSTATION = 1;

/** A generator of numbers for what Windows draws at random; the same in every run (splitmix32). */
export class Randomness {
  private state = 0x9e37_79b9;

  next(): number {
    this.state = (this.state + 0x9e37_79b9) | 0;
    let mixed = this.state ^ (this.state >>> 16);
    mixed = Math.imul(mixed, 0x21f0_aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a_2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }
}

// --- versions ---

/** VER_xxx type bits, from the least to the most significant field of a comparison of versions. */
const Part = {
  minor: 1,
  major: 2,
  build: 4,
  platform: 8,
  servicePackMinor: 16,
  servicePackMajor: 32,
  suite: 64,
  product: 128,
};
const CONDITION_BITS = 3n;

/** The condition set for a type bit: 1 equal, 2 greater, 3 greater or equal, 4 less, 5 less or equal, 6 and, 7 or. */
function condition(mask: bigint, part: number): number {
  return Number((mask >> (BigInt(Math.log2(part)) * CONDITION_BITS)) & 7n);
}

function holds(ours: number, how: number, theirs: number): boolean {
  switch (how) {
    case 2:
      return ours > theirs;
    case 3:
      return ours >= theirs;
    case 4:
      return ours < theirs;
    case 5:
      return ours <= theirs;
    default:
      return ours === theirs;
  }
}

/** Versions compare as one number of several digits, by the condition of the first that is asked. */
function verify(asked: ReturnType<typeof OSVERSIONINFOEXW.at>, types: number, mask: bigint): number {
  if (types === 0) return Status.INVALID_PARAMETER;
  const digits = [
    [Part.major, WINDOWS.major, asked.dwMajorVersion],
    [Part.minor, WINDOWS.minor, asked.dwMinorVersion],
    [Part.servicePackMajor, 0, asked.wServicePackMajor],
    [Part.servicePackMinor, 0, asked.wServicePackMinor],
  ] as const;
  const wanted = digits.filter(([part]) => (types & part) !== 0);
  const different = wanted.find(([, ours, theirs]) => ours !== theirs) ?? wanted.at(-1);
  const first = wanted[0];
  const results: boolean[] = [];
  if (first !== undefined && different !== undefined) {
    results.push(holds(different[1], condition(mask, first[0]), different[2]));
  }
  if ((types & Part.build) !== 0) {
    results.push(holds(WINDOWS.build, condition(mask, Part.build), asked.dwBuildNumber));
  }
  if ((types & Part.platform) !== 0) {
    results.push(holds(PLATFORM_WIN32_NT, condition(mask, Part.platform), asked.dwPlatformId));
  }
  if ((types & Part.product) !== 0) {
    results.push(holds(PRODUCT_WORKSTATION, condition(mask, Part.product), asked.wProductType));
  }
  if ((types & Part.suite) !== 0) results.push(asked.wSuiteMask === 0);
  return results.every((result) => result) ? Status.SUCCESS : Status.REVISION_MISMATCH;
}

function bugCheck(kernel: Kernel, code: number, parameters: readonly bigint[]): never {
  const stack = kernel.stack();
  const detail = { code: hex(code), parameters: parameters.map((parameter) => hex(parameter)) };
  kernel.trace.emit({ kind: 'fact', what: 'driver-bugchecks', detail, stack });
  throw new BugCheck(code, `the driver stops the system with code ${hex(code)}`, stack);
}

/** A step of RtlRandom's generator, as documented for its results: below 2^31 - 1, the seed updated. */
function draw({ memory }: Kernel, seed: Address): number {
  const next = (Math.imul(memory.readU32(seed), 0x7fff_ffed) + 0x7fff_ffc3) >>> 0;
  memory.writeU32(seed, next % 0x7fff_ffff);
  return next % 0x7fff_ffff;
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;

const random = (page: string) =>
  f({
    ...common,
    page,
    irql: D,
    params: { Seed: POINTER },
    returns: 'u32',
    body: (kernel, { Seed }) => draw(kernel, Seed),
  });

export const systemFunctions = {
  RtlGetVersion: f({
    ...common,
    page: 'wdm-rtlgetversion',
    irql: P,
    params: { VersionInformation: POINTER },
    returns: 'status',
    body({ memory }, { VersionInformation }) {
      const size = memory.readU32(VersionInformation);
      memory.fill(VersionInformation, Math.min(Math.max(size, OSVERSIONINFOW_SIZE), OSVERSIONINFOEXW.size), 0);
      OSVERSIONINFOEXW.write(memory, VersionInformation, {
        dwOSVersionInfoSize: size,
        dwMajorVersion: WINDOWS.major,
        dwMinorVersion: WINDOWS.minor,
        dwBuildNumber: WINDOWS.build,
        dwPlatformId: PLATFORM_WIN32_NT,
        ...(size >= OSVERSIONINFOEXW.size ? { wProductType: PRODUCT_WORKSTATION } : {}),
      });
      return Status.SUCCESS;
    },
  }),
  RtlVerifyVersionInfo: f({
    ...common,
    page: 'wdm-rtlverifyversioninfo',
    irql: P,
    params: { VersionInfo: IN(OSVERSIONINFOEXW), TypeMask: ULONG, ConditionMask: ULONG64 },
    returns: 'status',
    body: (_, { VersionInfo, TypeMask, ConditionMask }) => verify(VersionInfo, TypeMask, ConditionMask),
  }),
  VerSetConditionMask: f({
    ...common,
    page: 'wdm-rtlverifyversioninfo',
    irql: ANY,
    params: { ConditionMask: ULONG64, TypeMask: ULONG, Condition: UCHAR },
    returns: 'u64',
    body(_, { ConditionMask, TypeMask, Condition }) {
      if (TypeMask === 0) return ConditionMask;
      const place = BigInt(31 - Math.clz32(TypeMask)) * CONDITION_BITS;
      return ConditionMask | (BigInt(Condition & 7) << place);
    },
  }),
  PsGetVersion: f({
    ...common,
    page: 'wdm-psgetversion',
    irql: ANY,
    params: { MajorVersion: POINTER, MinorVersion: POINTER, BuildNumber: POINTER, CSDVersion: POINTER },
    returns: 'bool',
    body({ memory }, { MajorVersion, MinorVersion, BuildNumber, CSDVersion }) {
      if (MajorVersion !== NULL) memory.writeU32(MajorVersion, WINDOWS.major);
      if (MinorVersion !== NULL) memory.writeU32(MinorVersion, WINDOWS.minor);
      if (BuildNumber !== NULL) memory.writeU32(BuildNumber, WINDOWS.build);
      if (CSDVersion !== NULL) UNICODE_STRING.write(memory, CSDVersion, { Length: 0, MaximumLength: 0, Buffer: NULL });
      return false;
    },
  }),
  RtlIsNtDdiVersionAvailable: f({
    ...common,
    page: 'wdm-rtlisntddiversionavailable',
    irql: P,
    params: { Version: ULONG },
    returns: 'bool',
    body: (_, { Version }) => Version <= NTDDI_WIN10_22H2,
  }),
  MmGetSystemRoutineAddress: f({
    ...common,
    page: 'wdm-mmgetsystemroutineaddress',
    irql: P,
    params: { SystemRoutineName: IN(UNICODE_STRING) },
    returns: 'pointer',
    /** A name haltex lacks gets an address too: whether Windows has it is not known, and calling it says what is missing. */
    body({ memory, code }, { SystemRoutineName }) {
      const name = unicodeText(memory, SystemRoutineName);
      if (code.function(name)?.record.module === 'NDIS.SYS') return NULL;
      return code.resolve(name, 'ntoskrnl.exe');
    },
  }),
  MmIsVerifierEnabled: f({
    ...common,
    page: 'wdm-mmisdriververifying',
    irql: D,
    params: { VerifierFlags: OUT(u32) },
    returns: 'status',
    body(_, { VerifierFlags }) {
      VerifierFlags.set(0);
      return Status.NOT_SUPPORTED;
    },
  }),
  MmIsDriverVerifying: f({
    ...common,
    page: 'wdm-mmisdriververifying',
    irql: D,
    params: { DriverObject: POINTER },
    returns: 'u32',
    body: () => 0,
  }),
  MmIsAddressValid: f({
    ...common,
    page: 'ntddk-mmisaddressvalid',
    irql: D,
    params: { VirtualAddress: POINTER },
    returns: 'bool',
    body({ memory }, { VirtualAddress }) {
      const shadow = memory.shadowAt(VirtualAddress);
      return shadow !== Shadow.Unmapped && shadow !== Shadow.StackGuard;
    },
  }),
  RtlRandom: random('ntifs-rtlrandom'),
  RtlRandomEx: random('ntifs-rtlrandomex'),
  ExUuidCreate: f({
    ...common,
    page: 'ntddk-exuuidcreate',
    irql: P,
    params: { Uuid: POINTER },
    returns: 'status',
    body({ memory, randomness }, { Uuid }) {
      const uuid = new DataView(new ArrayBuffer(16));
      for (let i = 0; i < 16; i += 4) uuid.setUint32(i, randomness.next(), true);
      uuid.setUint8(7, (uuid.getUint8(7) & 0x0f) | 0x40);
      uuid.setUint8(8, (uuid.getUint8(8) & 0x3f) | 0x80);
      memory.write(Uuid, new Uint8Array(uuid.buffer));
      return Status.SUCCESS;
    },
  }),
  KeBugCheck: f({
    ...common,
    page: 'ntddk-kebugcheck',
    irql: ANY,
    params: { BugCheckCode: ULONG },
    returns: 'void',
    body: (kernel, { BugCheckCode }) => bugCheck(kernel, BugCheckCode, []),
  }),
  KeBugCheckEx: f({
    ...common,
    page: 'wdm-kebugcheckex',
    irql: ANY,
    params: { BugCheckCode: ULONG, P1: ULONG64, P2: ULONG64, P3: ULONG64, P4: ULONG64 },
    returns: 'void',
    body: (kernel, { BugCheckCode, P1, P2, P3, P4 }) => bugCheck(kernel, BugCheckCode, [P1, P2, P3, P4]),
  }),
};

/** NTDDI_WIN10_VB with no service release: what sdkddkver.h calls the line of builds 19041 to 19045. */
const NTDDI_WIN10_22H2 = 0x0a00_0008;
