/**
 * The container: a PDB is a file system of numbered streams, each a list of equal blocks.
 * Sources: LLVM, "The MSF File Format", https://llvm.org/docs/PDB/MsfFile.html; Microsoft, microsoft-pdb, PDB/msf/msf.cpp.
 */
import { Bytes } from './bytes.ts';
import { PdbError } from './errors.ts';

const SIGNATURE = 'Microsoft C/C++ MSF 7.00\r\n\u001aDS\0\0\0';
const OLD_SIGNATURE = 'Microsoft C/C++ program database 2.00';
const PORTABLE_SIGNATURE = 'BSJB';
const NO_STREAM = 0xffffffff;
const MIN_BLOCK = 512;
const MAX_BLOCK = 32768;

export class Msf {
  readonly #file: Bytes;
  readonly #blockSize: number;
  /** Each stream's size in bytes and the blocks it consists of. */
  readonly #streams: readonly { readonly size: number; readonly blocks: Bytes }[];

  constructor(bytes: Uint8Array) {
    refuseOthers(bytes);
    this.#file = new Bytes(bytes, 'the header');
    this.#blockSize = this.#file.u32(32);
    const blockCount = this.#file.u32(40);
    const directorySize = this.#file.u32(44);
    const blockMap = this.#file.u32(52);
    if (this.#blockSize < MIN_BLOCK || this.#blockSize > MAX_BLOCK || (this.#blockSize & (this.#blockSize - 1)) !== 0) {
      throw this.#file.error(`claims blocks of ${this.#blockSize} bytes`);
    }
    if (blockCount * this.#blockSize > bytes.length) {
      throw new PdbError(
        'damaged',
        `the PDB is cut off: it should have ${blockCount * this.#blockSize} bytes and has ${bytes.length}.`,
      );
    }
    const directoryBlocks = this.#blocksOf(directorySize);
    const map = this.#file.part(blockMap * this.#blockSize, directoryBlocks * 4, 'the directory of streams');
    const directory = new Bytes(this.#join(map, directorySize), 'the directory of streams');
    this.#streams = this.#readDirectory(directory, blockCount);
  }

  get streamCount(): number {
    return this.#streams.length;
  }

  /** The whole stream, or undefined where there is none. `what` names it in refusals. */
  stream(index: number, what: string): Bytes | undefined {
    const stream = this.#streams[index];
    if (stream === undefined) return undefined;
    return new Bytes(this.#join(stream.blocks, stream.size), what);
  }

  #readDirectory(directory: Bytes, blockCount: number): { size: number; blocks: Bytes }[] {
    const count = directory.u32(0);
    directory.check(4, count * 4);
    const streams: { size: number; blocks: Bytes }[] = [];
    let at = 4 + count * 4;
    let total = 0;
    for (let index = 0; index < count; index++) {
      const declared = directory.u32(4 + index * 4);
      const size = declared === NO_STREAM ? 0 : declared;
      const blocks = this.#blocksOf(size);
      // Streams share no blocks; a directory where they do could make a small file take any amount of memory.
      total += blocks;
      if (total > blockCount) throw directory.error('claims more than the file holds');
      streams.push({ size, blocks: directory.part(at, blocks * 4) });
      at += blocks * 4;
    }
    return streams;
  }

  #blocksOf(size: number): number {
    return Math.ceil(size / this.#blockSize);
  }

  /** The bytes of a stream: a view of the file where its blocks follow one another, else a copy. */
  #join(blocks: Bytes, size: number): Uint8Array {
    const count = this.#blocksOf(size);
    if (count === 0) return new Uint8Array(0);
    const first = blocks.u32(0);
    let contiguous = true;
    for (let index = 0; index < count; index++) {
      const block = blocks.u32(index * 4);
      this.#file.check(block * this.#blockSize, Math.min(this.#blockSize, size - index * this.#blockSize));
      if (block !== first + index) contiguous = false;
    }
    if (contiguous) return this.#file.raw(first * this.#blockSize, size);
    if (size > this.#file.size) throw blocks.error('claims more than the file holds');
    const joined = new Uint8Array(size);
    for (let index = 0; index < count; index++) {
      const start = index * this.#blockSize;
      const length = Math.min(this.#blockSize, size - start);
      joined.set(this.#file.raw(blocks.u32(index * 4) * this.#blockSize, length), start);
    }
    return joined;
  }
}

function refuseOthers(bytes: Uint8Array): void {
  const begins = (text: string) => [...text].every((character, index) => bytes[index] === character.charCodeAt(0));
  if (begins(SIGNATURE) && bytes.length >= 56) return;
  if (begins(OLD_SIGNATURE)) {
    throw new PdbError('unsupported', 'this is a PDB of format 2.00, from before 2002; haltex reads format 7.00.');
  }
  if (begins(PORTABLE_SIGNATURE)) {
    throw new PdbError(
      'unsupported',
      'this is a portable PDB, which belongs to .NET code; haltex reads those of native code.',
    );
  }
  throw new PdbError('not-pdb', 'this is not a PDB: it does not begin as one.');
}
