/**
 * The data of a NET_BUFFER: the bytes its chain of MDLs describes. Used data space begins at DataOffset in the chain, which is
 * CurrentMdlOffset in CurrentMdl; what lies before is unused data space. Page: network/net-buffer-structure.
 */
import type { Hardware } from '../kernel/hardware.ts';
import { PAGE_SIZE } from '../kernel/heap.ts';
import { type Mdl, MdlFlag, type Mdls, spannedPages } from '../kernel/mdl.ts';
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { NetBuffer } from './net-buffer-structures.ts';

/** A piece of data that one MDL describes. */
export interface Segment {
  readonly mdl: Mdl;
  readonly address: Address;
  readonly length: number;
}

export class NetBufferData {
  private readonly memory: GuestMemory;
  private readonly mdls: Mdls;
  private readonly hardware: Hardware;

  constructor(parts: { memory: GuestMemory; mdls: Mdls; hardware: Hardware }) {
    this.memory = parts.memory;
    this.mdls = parts.mdls;
    this.hardware = parts.hardware;
  }

  /** The MDLs from one on. A ring of them would hang Windows; here it ends where it closes. */
  *chain(first: Address): Generator<Mdl> {
    const seen = new Set<Address>();
    for (let next = first; next !== NULL && !seen.has(next); ) {
      seen.add(next);
      const mdl = this.mdls.at(next);
      yield mdl;
      next = mdl.Next;
    }
  }

  /** Where the MDL's first byte can be read: its mapping, or the place its pages have in the one address space. */
  private start(mdl: Mdl): Address {
    if ((mdl.MdlFlags & (MdlFlag.MAPPED_TO_SYSTEM_VA | MdlFlag.SOURCE_IS_NONPAGED_POOL)) !== 0)
      return mdl.MappedSystemVa;
    const page = this.memory.readPointer(
      at(mdl.address, mdl.Size - 8 * spannedPages(mdl.StartVa, mdl.ByteOffset + mdl.ByteCount)),
    );
    return at(this.hardware.virtualOf(page * PAGE_SIZE), mdl.ByteOffset);
  }

  /**
   * The pieces of `length` bytes from `offset` in the used data space; fewer when the chain ends before. How much NET_BUFFER
   * says it holds is not asked: a destination is written beyond its DataLength.
   */
  segments(buffer: NetBuffer, offset: number, length: number): Segment[] {
    const found: Segment[] = [];
    let skip = buffer.CurrentMdlOffset + offset;
    let left = length;
    for (const mdl of this.chain(buffer.CurrentMdl)) {
      if (left === 0) break;
      const count = mdl.ByteCount;
      if (skip >= count) {
        skip -= count;
        continue;
      }
      const take = Math.min(count - skip, left);
      found.push({ mdl, address: at(this.start(mdl), skip), length: take });
      left -= take;
      skip = 0;
    }
    return found;
  }

  /** A copy of the used data. */
  read(buffer: NetBuffer): Uint8Array {
    return this.gather(this.segments(buffer, 0, buffer.DataLength));
  }

  gather(segments: readonly Segment[]): Uint8Array {
    const bytes = new Uint8Array(segments.reduce((sum, { length }) => sum + length, 0));
    let at_ = 0;
    for (const { address, length } of segments) {
      bytes.set(this.memory.read(address, length), at_);
      at_ += length;
    }
    return bytes;
  }

  /** Bytes copied: to the end of the source's used data or of the destination's chain. */
  copy(from: NetBuffer, sourceOffset: number, to: NetBuffer, destinationOffset: number, count: number): number {
    const available = Math.max(0, Math.min(count, from.DataLength - sourceOffset));
    const bytes = this.gather(this.segments(from, sourceOffset, available));
    let done = 0;
    for (const { address, length } of this.segments(to, destinationOffset, bytes.length)) {
      this.memory.write(address, bytes.subarray(done, done + length));
      done += length;
    }
    return done;
  }

  /** Physical pages the used data lies on, each MDL counted for itself. */
  physicalCount(buffer: NetBuffer): number {
    return this.segments(buffer, 0, buffer.DataLength).reduce(
      (sum, { address, length }) => sum + spannedPages(address, length),
      0,
    );
  }

  /** Lets CurrentMdl and CurrentMdlOffset follow DataOffset. At the end of an MDL the next one is current, if there is one. */
  adjustCurrent(buffer: NetBuffer): void {
    let offset = buffer.DataOffset;
    let current = NULL;
    for (const mdl of this.chain(buffer.MdlChain)) {
      current = mdl.address;
      if (offset < mdl.ByteCount || mdl.Next === NULL) break;
      offset -= mdl.ByteCount;
    }
    buffer.CurrentMdl = current;
    buffer.CurrentMdlOffset = offset;
  }
}
