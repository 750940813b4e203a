/**
 * What memory a device may touch, and what it is about to. Shared memory, common buffers and scatter/gather lists are mapped
 * for DMA; live memory outside every mapping is what an IOMMU would refuse (bug-check-0xe6 code 26) and what a machine
 * without one lets through, so touching it is a fact and not a fault. Memory that is freed, or unmapped, while a device
 * still has it in its rings is a fact at that moment: no frame has to arrive for it to be seen.
 */
import type { Stack } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { hex } from '../trace/units.ts';
import type { Block } from './heap.ts';

/** The device may read a mapping, write it, or both. */
export type DmaDirection = 'read' | 'write' | 'both';

export interface DmaMapping {
  readonly physical: number;
  readonly size: number;
  /** In words: `shared memory`, `scatter/gather list`. */
  readonly what: string;
  readonly direction: DmaDirection;
}

/** Memory a device has been given and may touch at any moment. */
export interface DmaTarget {
  readonly physical: number;
  readonly size: number;
  /** In words: `receive ring`, `receive buffer 3`. */
  readonly use: string;
}

/** A device that can do DMA. */
export interface DmaMaster {
  readonly name: string;
  dmaTargets(): readonly DmaTarget[];
}

/** Mappings that ended, kept to explain a late access. */
const REMEMBERED = 256;

export class DmaMappings {
  private readonly trace: Recorder;
  private readonly live = new Set<DmaMapping>();
  private readonly ended: DmaMapping[] = [];
  private readonly masters: DmaMaster[] = [];
  /** One fact for each block and kind of access. */
  private readonly told = new Set<string>();

  constructor(trace: Recorder) {
    this.trace = trace;
  }

  addMaster(master: DmaMaster): void {
    this.masters.push(master);
  }

  add(mapping: DmaMapping): DmaMapping {
    this.live.add(mapping);
    return mapping;
  }

  /** The mapping is given back. Whatever a device still has of it is a fact. */
  end(mapping: DmaMapping, stack: Stack): void {
    if (!this.live.has(mapping)) return;
    this.forget(mapping);
    this.tellTargets('unmapped-under-dma', mapping.physical, mapping.size, mapping.what, stack);
  }

  /** A block of guest memory goes, and the mappings inside it. */
  freed(block: Block, physical: number): void {
    for (const mapping of this.live) {
      if (mapping.physical >= physical && mapping.physical < physical + block.size) this.forget(mapping);
    }
    this.tellTargets('freed-under-dma', physical, block.size, block.what, block.freed ?? []);
  }

  /** A device touches live memory. */
  touched(physical: number, size: number, access: 'read' | 'write', block: Block | undefined): void {
    const covers = ({ physical: start, size: length }: DmaMapping) =>
      start <= physical && physical + size <= start + length;
    const allowed = [...this.live].filter(covers);
    if (allowed.some(({ direction }) => direction === 'both' || direction === access)) return;
    const told = `${block?.address} ${access}`;
    if (this.told.has(told)) return;
    this.told.add(told);
    const past = this.ended.findLast(covers);
    this.trace.emit({
      kind: 'fact',
      what: 'dma-outside-mapping',
      detail: {
        why: allowed.length > 0 ? 'direction' : past === undefined ? 'never-mapped' : 'unmapped',
        access,
        physical: hex(physical),
        size,
        block: block?.what ?? null,
        ...(past === undefined ? {} : { was: past.what }),
      },
    });
  }

  private forget(mapping: DmaMapping): void {
    this.live.delete(mapping);
    this.ended.push(mapping);
    if (this.ended.length > REMEMBERED) this.ended.shift();
  }

  private tellTargets(what: string, physical: number, size: number, block: string, stack: Stack): void {
    for (const master of this.masters) {
      const uses = master
        .dmaTargets()
        .filter((target) => target.physical < physical + size && physical < target.physical + target.size)
        .map(({ use }) => use);
      if (uses.length === 0) continue;
      const detail = { block, physical: hex(physical), size, device: master.name, uses: uses.slice(0, 8) };
      this.trace.emit({ kind: 'fact', what, detail, stack });
    }
  }
}
