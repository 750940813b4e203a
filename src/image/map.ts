/**
 * The memory of a loaded image: headers and sections at their RVAs, zeroes between, relocations applied. The rest of loading
 * (import addresses, security cookie, guard pointers) needs a kernel and is done there.
 */
import { type Address, toBits } from '../trace/units.ts';
import { ImageError } from './errors.ts';
import { type Image, PAGE_SIZE } from './image.ts';

/** A fresh copy of `image` as it stands in memory at `base`, `sizeOfImage` bytes long. `base` must be page-aligned. */
export function mapImage(image: Image, base: Address | bigint): Uint8Array {
  const bits = typeof base === 'bigint' ? BigInt.asUintN(64, base) : toBits(base);
  if (bits % BigInt(PAGE_SIZE) !== 0n) throw new RangeError('an image is mapped at a page boundary');
  const memory = new Uint8Array(image.sizeOfImage);
  for (const { rva, fileOffset, fileSize } of image.layout.spans) {
    memory.set(image.layout.file.subarray(fileOffset, fileOffset + fileSize), rva);
  }
  const delta = BigInt.asUintN(64, bits - image.imageBase);
  if (delta !== 0n) relocate(image, memory, delta);
  return memory;
}

function relocate(image: Image, memory: Uint8Array, delta: bigint): void {
  const { stripped, dir64, highLow } = image.relocations;
  if (stripped) {
    throw new ImageError(
      'bad-relocation',
      'this image was linked without relocations (/FIXED), so Windows could not load it as a driver either.',
    );
  }
  const view = new DataView(memory.buffer);
  for (const rva of dir64) {
    // setBigUint64 keeps the low 64 bits.
    view.setBigUint64(rva, view.getBigUint64(rva, true) + delta, true);
  }
  const low = Number(delta & 0xffff_ffffn);
  for (const rva of highLow) view.setUint32(rva, view.getUint32(rva, true) + low, true);
}
