/**
 * The headers: DOS stub, COFF header, PE32+ optional header, section table, and the refusals that follow from them alone.
 * Source: Microsoft, "PE Format", https://learn.microsoft.com/windows/win32/debug/pe-format
 */
import { ImageError, rvaText } from './errors.ts';
import {
  type DataDirectory,
  Directory,
  FileFlag,
  MAX_IMAGE_SIZE,
  PAGE_SIZE,
  type Section,
  SectionFlag,
} from './image.ts';

/** What the headers alone say. */
export interface Headers {
  readonly machine: number;
  readonly subsystem: number;
  readonly characteristics: number;
  readonly dllCharacteristics: number;
  readonly imageBase: bigint;
  readonly sizeOfImage: number;
  readonly sizeOfHeaders: number;
  readonly sectionAlignment: number;
  readonly fileAlignment: number;
  readonly entryPoint: number;
  readonly timestamp: number;
  readonly checksum: number;
  readonly directories: readonly DataDirectory[];
  readonly sections: readonly Section[];
}

/** `driver` refuses what the kernel would not load as a driver; `any` takes every x64 image (to look into a DLL's resources). */
export type Accept = 'driver' | 'any';

const machineNames: Readonly<Record<number, string>> = {
  332: '32-bit (x86)',
  448: '32-bit ARM',
  450: '32-bit ARM (Thumb)',
  452: '32-bit ARM',
  512: 'Itanium (IA-64)',
  3772: 'EFI byte code',
  20530: '32-bit RISC-V',
  20580: '64-bit RISC-V',
  25188: 'LoongArch',
  42561: 'ARM64EC',
  42574: 'ARM64X',
  43620: 'ARM64',
};
const AMD64 = 0x8664;
const I386 = 0x14c;

const subsystemNames: Readonly<Record<number, string>> = {
  2: 'a user-mode program with windows',
  3: 'a user-mode console program',
  5: 'an OS/2 program',
  7: 'a POSIX program',
  9: 'a Windows CE program',
  10: 'an EFI application',
  11: 'an EFI boot driver',
  12: 'an EFI runtime driver',
  13: 'an EFI ROM image',
  14: 'an Xbox program',
  16: 'a Windows boot application',
};
const NATIVE = 1;

/** Fixed sizes: DOS header, PE signature + COFF header, PE32+ optional header before its directories, one section header. */
const DOS_HEADER = 64;
const COFF_HEADER = 24;
const OPTIONAL_HEADER = 112;
const SECTION_HEADER = 40;
/** "Note that the Windows loader limits the number of sections to 96." */
const MAX_SECTIONS = 96;
const MAX_DIRECTORIES = 16;

/** Reads and checks the headers of `file`. */
export function readHeaders(file: Uint8Array, accept: Accept): Headers {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const pe = findPeHeader(view);
  const machine = view.getUint16(pe + 4, true);
  const sectionCount = view.getUint16(pe + 6, true);
  const optionalSize = view.getUint16(pe + 20, true);
  const characteristics = view.getUint16(pe + 22, true);
  const optional = pe + COFF_HEADER;
  const sectionTable = optional + optionalSize;

  refuseForeign(view, optional, optionalSize, machine);
  if (sectionTable + sectionCount * SECTION_HEADER > file.length) {
    throw new ImageError('truncated', 'the file ends inside its headers.');
  }
  const directories = readDirectories(view, optional, optionalSize);
  if (directories[Directory.CLR_RUNTIME]!.size !== 0) throw managed();
  const subsystem = view.getUint16(optional + 68, true);
  const dll = (characteristics & FileFlag.DLL) !== 0;
  if (accept === 'driver' && subsystem !== NATIVE) throw notADriver(subsystem, dll);
  if ((characteristics & FileFlag.EXECUTABLE_IMAGE) === 0) {
    throw new ImageError('bad-header', 'the linker marked this image as not runnable because of link errors.');
  }

  const headers = {
    machine,
    subsystem,
    characteristics,
    dllCharacteristics: view.getUint16(optional + 70, true),
    imageBase: view.getBigUint64(optional + 24, true),
    sizeOfImage: view.getUint32(optional + 56, true),
    sizeOfHeaders: view.getUint32(optional + 60, true),
    sectionAlignment: view.getUint32(optional + 32, true),
    fileAlignment: view.getUint32(optional + 36, true),
    entryPoint: view.getUint32(optional + 16, true),
    timestamp: view.getUint32(pe + 8, true),
    checksum: view.getUint32(optional + 64, true),
    directories,
  };
  checkSizes(headers, sectionTable + sectionCount * SECTION_HEADER, file.length);
  if (sectionCount === 0 || sectionCount > MAX_SECTIONS) {
    throw new ImageError(
      'bad-section',
      `the image has ${sectionCount} sections; Windows accepts 1 to ${MAX_SECTIONS}.`,
    );
  }
  const sections: Section[] = [];
  let next = headers.sizeOfHeaders;
  for (let index = 0; index < sectionCount; index++) {
    const section = readSection(view, sectionTable + index * SECTION_HEADER, headers, next);
    sections.push(section);
    next = section.rva + section.mappedSize;
  }
  if (accept === 'driver') checkEntryPoint(headers.entryPoint, sections);
  return { ...headers, sections };
}

function findPeHeader(view: DataView): number {
  if (view.byteLength === 0) throw new ImageError('not-pe', 'the file is empty.');
  if (view.byteLength < 2 || view.getUint16(0, true) !== 0x5a4d) {
    throw new ImageError('not-pe', 'this is not a Windows executable (it does not begin with "MZ").');
  }
  if (view.byteLength < DOS_HEADER) throw new ImageError('truncated', 'the file ends inside its DOS header.');
  const pe = view.getUint32(0x3c, true);
  if (pe + COFF_HEADER + 2 > view.byteLength) {
    throw new ImageError('truncated', 'the file ends before its PE header.');
  }
  if (view.getUint32(pe, true) !== 0x4550) {
    throw new ImageError('not-pe', 'this is an MS-DOS or 16-bit Windows executable (it has no "PE" header).');
  }
  return pe;
}

/** .NET first (most assemblies are formally x86), then the processor, then PE32 against PE32+. */
function refuseForeign(view: DataView, optional: number, optionalSize: number, machine: number): void {
  const magic = view.getUint16(optional, true);
  const clrEntry = optional + 96 + Directory.CLR_RUNTIME * 8;
  if (
    magic === 0x10b &&
    optionalSize >= 96 + MAX_DIRECTORIES * 8 &&
    clrEntry + 8 <= view.byteLength &&
    view.getUint32(clrEntry + 4, true) !== 0
  ) {
    throw managed();
  }
  if (machine !== AMD64) {
    const name = machineNames[machine];
    const article = name && /^(8|A|E|I)/.test(name) ? 'an' : 'a';
    const image = name ? `${article} ${name} image` : `an image for the unknown machine type ${rvaText(machine)}`;
    throw new ImageError(
      machine === I386 ? 'not-64-bit' : 'wrong-machine',
      `this is ${image}; haltex runs x64 drivers only.`,
    );
  }
  if (magic === 0x10b) {
    throw new ImageError('not-64-bit', 'this is a 32-bit (PE32) image; haltex runs x64 (PE32+) drivers only.');
  }
  if (magic !== 0x20b) {
    throw new ImageError('bad-header', `the optional header's magic number ${rvaText(magic)} is not that of an image.`);
  }
  if (optionalSize < OPTIONAL_HEADER) {
    throw new ImageError('bad-header', `the optional header is only ${optionalSize} bytes long.`);
  }
}

function readDirectories(view: DataView, optional: number, optionalSize: number): DataDirectory[] {
  const declared = view.getUint32(optional + 108, true);
  // Both counts bound the table: "the SizeOfOptionalHeader field must be used to validate that a probe … does not go beyond".
  const present = Math.min(declared, MAX_DIRECTORIES, Math.floor((optionalSize - OPTIONAL_HEADER) / 8));
  const directories: DataDirectory[] = [];
  for (let index = 0; index < MAX_DIRECTORIES; index++) {
    const entry = optional + OPTIONAL_HEADER + index * 8;
    directories.push(
      index < present
        ? { rva: view.getUint32(entry, true), size: view.getUint32(entry + 4, true) }
        : { rva: 0, size: 0 },
    );
  }
  return directories;
}

function managed(): ImageError {
  return new ImageError('managed', 'this is a .NET assembly, not a driver; haltex runs native x64 drivers only.');
}

function notADriver(subsystem: number, dll: boolean): ImageError {
  const user = subsystem === 2 || subsystem === 3;
  const kind =
    user && dll ? 'a user-mode DLL' : (subsystemNames[subsystem] ?? `an image for the unknown subsystem ${subsystem}`);
  return new ImageError('not-a-driver', `this is ${kind}, not a Windows driver (its subsystem is not "native").`);
}

type Sizes = Pick<Headers, 'sizeOfImage' | 'sizeOfHeaders' | 'sectionAlignment' | 'fileAlignment' | 'imageBase'>;

function checkSizes(headers: Sizes, headersEnd: number, fileSize: number): void {
  const { sizeOfImage, sizeOfHeaders, sectionAlignment, fileAlignment, imageBase } = headers;
  if (sizeOfImage > MAX_IMAGE_SIZE) {
    const mebibytes = Math.ceil(sizeOfImage / 1048576);
    throw new ImageError(
      'too-large',
      `the image takes ${mebibytes} MiB in memory; haltex accepts drivers up to 32 MiB.`,
    );
  }
  if (!isPowerOfTwo(sectionAlignment) || !isPowerOfTwo(fileAlignment) || fileAlignment > sectionAlignment) {
    throw new ImageError(
      'bad-header',
      `the section alignment ${rvaText(sectionAlignment)} and file alignment ${rvaText(fileAlignment)} do not fit together.`,
    );
  }
  // "If the SectionAlignment is less than the architecture's page size, then FileAlignment must match SectionAlignment."
  if (sectionAlignment < PAGE_SIZE && fileAlignment !== sectionAlignment) {
    throw new ImageError('bad-header', 'the section alignment is below a page but differs from the file alignment.');
  }
  if (sizeOfHeaders < headersEnd) {
    throw new ImageError('bad-header', 'the declared size of the headers does not cover the section table.');
  }
  if (sizeOfHeaders > fileSize) throw new ImageError('truncated', 'the file ends inside its headers.');
  if (sizeOfHeaders > sizeOfImage) {
    throw new ImageError('bad-header', 'the headers are larger than the whole image.');
  }
  // "The preferred address of the first byte of image when loaded into memory; must be a multiple of 64 K."
  if (imageBase % 0x10000n !== 0n) {
    throw new ImageError('bad-header', `the preferred base ${rvaText(Number(imageBase))} is not a multiple of 64 KiB.`);
  }
}

function readSection(view: DataView, header: number, headers: Omit<Headers, 'sections'>, next: number): Section {
  const name = sectionName(view, header);
  const declaredSize = view.getUint32(header + 8, true);
  const rva = view.getUint32(header + 12, true);
  const rawSize = view.getUint32(header + 16, true);
  const rawOffset = view.getUint32(header + 20, true);
  const characteristics = view.getUint32(header + 36, true);
  const { sectionAlignment, sizeOfImage } = headers;
  const bad = (problem: string) => new ImageError('bad-section', `section ${name} ${problem}.`);

  // Observed: a virtual size of 0 means the size in the file, as old linkers left it.
  const virtualSize = declaredSize === 0 ? rawSize : declaredSize;
  if (rva % sectionAlignment !== 0) throw bad(`begins at RVA ${rvaText(rva)}, which is not aligned`);
  if (rva < next) throw bad(`at RVA ${rvaText(rva)} overlaps what precedes it`);
  if (rva + virtualSize > sizeOfImage) throw bad('reaches beyond the end of the image');
  const mappedSize = Math.min(Math.ceil(virtualSize / sectionAlignment) * sectionAlignment, sizeOfImage - rva);

  const fileSize = rawOffset === 0 ? 0 : Math.min(rawSize, mappedSize);
  if (fileSize > 0) {
    if (rawOffset % Math.min(headers.fileAlignment, 512) !== 0) {
      throw bad(`begins at file offset ${rvaText(rawOffset)}, which is not aligned`);
    }
    if (rawOffset + fileSize > view.byteLength) {
      throw new ImageError('truncated', `the file ends inside section ${name}.`);
    }
  }
  return {
    name,
    rva,
    virtualSize,
    mappedSize,
    fileOffset: fileSize > 0 ? rawOffset : 0,
    fileSize,
    characteristics,
    readable: (characteristics & SectionFlag.READ) !== 0,
    writable: (characteristics & SectionFlag.WRITE) !== 0,
    executable: (characteristics & SectionFlag.EXECUTE) !== 0,
    // Documented: "an INIT section that is discarded after driver initialization" (Paging an Entire Driver), by its name;
    // any other section by the flag.
    discardable: (characteristics & SectionFlag.DISCARDABLE) !== 0 || name === 'INIT',
    // Documented: "If a section name begins with "PAGE", the I/O manager makes the section pageable" (Making Drivers
    // Pageable). The name decides; IMAGE_SCN_MEM_NOT_PAGED is for object files and tools.
    pageable: name.startsWith('PAGE'),
  };
}

/** Eight bytes, NUL-padded; anything unprintable becomes `?` because the name is shown. */
function sectionName(view: DataView, header: number): string {
  let name = '';
  for (let index = 0; index < 8; index++) {
    const byte = view.getUint8(header + index);
    if (byte === 0) break;
    name += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?';
  }
  return name === '' ? '(unnamed)' : name;
}

function checkEntryPoint(entryPoint: number, sections: readonly Section[]): void {
  if (entryPoint === 0) {
    throw new ImageError('not-a-driver', 'this image has no entry point, so there is no DriverEntry to call.');
  }
  const inCode = sections.some(
    (section) => section.executable && entryPoint >= section.rva && entryPoint < section.rva + section.virtualSize,
  );
  if (!inCode) {
    throw new ImageError('bad-header', `the entry point, RVA ${rvaText(entryPoint)}, is not inside executable code.`);
  }
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && 2 ** Math.round(Math.log2(value)) === value;
}
