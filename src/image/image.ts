/**
 * The model of a driver image: what the rest of haltex may know of a `.sys` file. Plain data, made by read.ts.
 * Everything that is an address is an RVA (relative to wherever the image is loaded) unless its name says otherwise.
 * Numbers and meanings: Microsoft, "PE Format", https://learn.microsoft.com/windows/win32/debug/pe-format
 */
import type { Layout } from './layout.ts';
import type { UnwindPlaces } from './unwind-places.ts';

export interface Image {
  /** The file's bytes, by RVA; other readers of this folder (unwind data, resources) take them from here. */
  readonly layout: Layout;
  /** Always 0x8664 (IMAGE_FILE_MACHINE_AMD64). */
  readonly machine: number;
  /** 1 is IMAGE_SUBSYSTEM_NATIVE: a driver. */
  readonly subsystem: number;
  readonly characteristics: number;
  readonly dllCharacteristics: number;
  /** The address the image was linked for, as unsigned 64 bits. */
  readonly imageBase: bigint;
  readonly sizeOfImage: number;
  readonly sizeOfHeaders: number;
  readonly sectionAlignment: number;
  readonly fileAlignment: number;
  /** RVA of DriverEntry (of its `GsDriverEntry` wrapper, usually). */
  readonly entryPoint: number;
  /** Seconds since 1970, or a hash of the content when `debug.reproducible`. */
  readonly timestamp: number;
  readonly checksum: number;
  readonly directories: readonly DataDirectory[];
  readonly sections: readonly Section[];
  readonly imports: readonly ImportedDll[];
  readonly exports: Exports | undefined;
  readonly relocations: Relocations;
  readonly loadConfig: LoadConfig | undefined;
  readonly debug: DebugInfo;
  /** The exception directory, ascending by `begin`. */
  readonly functions: readonly RuntimeFunction[];
  /** The unwind data, place by place. */
  readonly unwindPlaces: UnwindPlaces;
  readonly resources: readonly Resource[];
  readonly tls: TlsDirectory | undefined;
  /** DLLs whose imports are resolved on first call; haltex does not model that. */
  readonly delayImports: readonly string[];
  /** An embedded Authenticode signature; present or not, its validity is not checked. */
  readonly authenticode: Authenticode | undefined;
  /** What is odd about the image without keeping it from running: one sentence each. */
  readonly notes: readonly string[];
}

export interface DataDirectory {
  readonly rva: number;
  readonly size: number;
}

/** The entries of the optional header's directory table, by position. */
export const Directory = {
  EXPORT: 0,
  IMPORT: 1,
  RESOURCE: 2,
  EXCEPTION: 3,
  /** The one directory whose "RVA" is a file offset. */
  CERTIFICATE: 4,
  BASE_RELOCATION: 5,
  DEBUG: 6,
  TLS: 9,
  LOAD_CONFIG: 10,
  BOUND_IMPORT: 11,
  DELAY_IMPORT: 13,
  CLR_RUNTIME: 14,
} as const;

export interface Section {
  readonly name: string;
  readonly rva: number;
  /** Bytes in memory as declared; pages are mapped up to `mappedSize`. */
  readonly virtualSize: number;
  /** `virtualSize` rounded up to the image's section alignment, at most to the end of the image. */
  readonly mappedSize: number;
  readonly fileOffset: number;
  /** Bytes of the file that are mapped; the rest of `mappedSize` is zero. */
  readonly fileSize: number;
  readonly characteristics: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  /** May be freed once DriverEntry has returned. */
  readonly discardable: boolean;
  /** May be paged out, so it must not be touched at DISPATCH_LEVEL or above unless locked. */
  readonly pageable: boolean;
}

export interface ImportedDll {
  /** As written in the file: `ntoskrnl.exe`, `NDIS.SYS`. */
  readonly name: string;
  readonly symbols: readonly ImportedSymbol[];
}

export interface ImportedSymbol {
  /** Exactly one of `name` and `ordinal` is set. */
  readonly name?: string;
  readonly ordinal?: number;
  /** The 8-byte import address table slot that the loader fills. */
  readonly iat: number;
}

export interface Exports {
  /** The name the linker gave the image: `mydriver.sys`. */
  readonly dll: string;
  readonly symbols: readonly ExportedSymbol[];
}

export interface ExportedSymbol {
  readonly ordinal: number;
  /** Absent for exports by ordinal only. */
  readonly name?: string;
  /** Absent for forwarders. */
  readonly rva?: number;
  /** `OTHER.Function` or `OTHER.#12`, resolved by the loader. */
  readonly forwarder?: string;
}

export interface Relocations {
  /** The file was linked without relocations: it can only be mapped at `imageBase`. */
  readonly stripped: boolean;
  /** RVAs of 64-bit pointers. */
  readonly dir64: Uint32Array;
  /** RVAs of 32-bit pointers: legal in the format, next to unheard of in a driver. */
  readonly highLow: Uint32Array;
}

/** The fields of the load configuration that a loader or a checker acts on; pointers to variables are RVAs. */
export interface LoadConfig {
  /** `__security_cookie`, which the loader sets to a random value before DriverEntry. */
  readonly securityCookie: number | undefined;
  /** `__guard_check_icall_fptr`: the loader stores the address of the kernel's check routine there. */
  readonly guardCheckPointer: number | undefined;
  /** `__guard_dispatch_icall_fptr`: jumps to RAX after the check. */
  readonly guardDispatchPointer: number | undefined;
  /** Their extended (XFG) twins, in images of newer compilers. */
  readonly guardXfgCheckPointer: number | undefined;
  readonly guardXfgDispatchPointer: number | undefined;
  readonly guardXfgTableDispatchPointer: number | undefined;
  /** IMAGE_GUARD_* bits. */
  readonly guardFlags: number;
  /** Number of valid indirect-call targets listed. */
  readonly guardFunctionCount: number;
  /** Registered handlers (`/SAFESEH`); x86 only, so 0 in any x64 image a linker made. */
  readonly seHandlerCount: number;
}

export interface DebugInfo {
  readonly codeView: CodeView | undefined;
  /** Linked with /Brepro: the timestamp is a hash, not a time. */
  readonly reproducible: boolean;
}

/** Which PDB belongs to the image (an RSDS record). */
export interface CodeView {
  /** `3BF2A0C1-…`, upper case, as debuggers print it. */
  readonly guid: string;
  readonly age: number;
  /** As the linker wrote it: a file name or a path on the build machine. */
  readonly path: string;
}

/** One RUNTIME_FUNCTION: code from `begin` to before `end`, described by the UNWIND_INFO at `unwindInfo`. */
export interface RuntimeFunction {
  readonly begin: number;
  readonly end: number;
  readonly unwindInfo: number;
}

/** A leaf of the resource tree. Predefined types and unnamed entries are numbers (10 is RCDATA, 16 VERSION). */
export interface Resource {
  readonly type: number | string;
  readonly name: number | string;
  readonly language: number;
  readonly rva: number;
  readonly size: number;
}

export interface TlsDirectory {
  readonly callbacks: boolean;
}

export interface Authenticode {
  readonly fileOffset: number;
  readonly size: number;
}

/** Flags of `characteristics`, `dllCharacteristics` and section characteristics that haltex looks at. */
export const FileFlag = { RELOCS_STRIPPED: 0x0001, EXECUTABLE_IMAGE: 0x0002, DLL: 0x2000 } as const;
export const DllFlag = { DYNAMIC_BASE: 0x0040, FORCE_INTEGRITY: 0x0080, WDM_DRIVER: 0x2000, GUARD_CF: 0x4000 } as const;
export const SectionFlag = {
  CODE: 0x00000020,
  DISCARDABLE: 0x02000000,
  NOT_PAGED: 0x08000000,
  EXECUTE: 0x20000000,
  READ: 0x40000000,
  WRITE: 0x80000000,
} as const;

/** The largest `sizeOfImage` accepted: several times the largest driver that ships with Windows. */
export const MAX_IMAGE_SIZE = 32 * 1024 * 1024;
export const PAGE_SIZE = 0x1000;
