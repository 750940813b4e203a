/**
 * Base relocations: where in the image absolute addresses stand.
 * Source: Microsoft, "PE Format", section "The .reloc Section", https://learn.microsoft.com/windows/win32/debug/pe-format
 */
import { rvaText } from './errors.ts';
import type { DataDirectory, Relocations } from './image.ts';
import type { Layout } from './layout.ts';

const BLOCK_HEADER = 8;
const ABSOLUTE = 0;
const HIGHLOW = 3;
const DIR64 = 10;

/** The types that have no business in an x64 image, by the name Microsoft gives them. */
const refusedTypes: readonly string[] = [
  '', 'HIGH', 'LOW', '', 'HIGHADJ', 'MIPS_JMPADDR / ARM_MOV32 / RISCV_HIGH20', 'RESERVED', 'THUMB_MOV32 / RISCV_LOW12I',
  'RISCV_LOW12S / LOONGARCH64_MARK_LA', 'MIPS_JMPADDR16', '', 'number 11', 'number 12', 'number 13', 'number 14', 'number 15',
]; // biome-ignore format: the position is the type

export function readRelocations(
  layout: Layout,
  directory: DataDirectory,
  stripped: boolean,
  sizeOfImage: number,
): Relocations {
  if (directory.rva === 0 || directory.size === 0) {
    return { stripped, dir64: new Uint32Array(0), highLow: new Uint32Array(0) };
  }
  const reader = layout.reader('bad-relocation', 'the relocation table');
  reader.check(directory.rva, directory.size);
  // Two bytes an entry: the directory's own size bounds both lists.
  const dir64 = new Uint32Array(directory.size >> 1);
  const highLow = new Uint32Array(directory.size >> 1);
  let dir64Count = 0;
  let highLowCount = 0;
  const end = directory.rva + directory.size;
  let block = directory.rva;
  while (block + BLOCK_HEADER <= end) {
    const page = reader.u32(block);
    const blockSize = reader.u32(block + 4);
    // Some linkers pad the end of the table with zeroes.
    if (page === 0 && blockSize === 0) break;
    if (blockSize < BLOCK_HEADER || blockSize % 2 !== 0 || block + blockSize > end) {
      throw reader.error(`has a block of ${blockSize} bytes for RVA ${rvaText(page)}`);
    }
    for (let entry = block + BLOCK_HEADER; entry < block + blockSize; entry += 2) {
      const value = reader.u16(entry);
      const type = value >> 12;
      const rva = page + (value & 0xfff);
      if (type === ABSOLUTE) continue;
      if (type !== DIR64 && type !== HIGHLOW) {
        throw reader.error(`has an entry of type ${refusedTypes[type]}, which x64 images do not use`);
      }
      if (rva + (type === DIR64 ? 8 : 4) > sizeOfImage) {
        throw reader.error(`points outside the image (at RVA ${rvaText(rva)})`);
      }
      if (type === DIR64) dir64[dir64Count++] = rva;
      else highLow[highLowCount++] = rva;
    }
    block += blockSize;
  }
  return { stripped, dir64: dir64.slice(0, dir64Count), highLow: highLow.slice(0, highLowCount) };
}
