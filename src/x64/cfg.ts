/**
 * Discovers the blocks of a region: from its entry along direct jumps, within one guest function. Calls end a block; small
 * callees that call nothing outside themselves are taken into the region, each call site with its own copy (a context), so
 * that their `ret` is an edge. What follows other calls, and instructions a helper executes, is an additional entry.
 */
import type { Address } from '../trace/units.ts';
import type { Instruction } from './decode.ts';
import type { InstructionRecord } from './lift/record.ts';
import { recordOf } from './lift/table.ts';

/** One inlined call. */
export interface Context {
  readonly parent: Context | undefined;
  /** Where its returns go, in the parent. */
  readonly returnTo: Address;
  readonly depth: number;
}

export interface Step {
  readonly instruction: Instruction;
  /** Undefined: not supported. */
  readonly record: InstructionRecord | undefined;
}

export interface Block {
  readonly id: number;
  readonly rip: Address;
  readonly context: Context | undefined;
  readonly steps: Step[];
  /** By edge number (control.ts): a block, or an address outside the region. */
  readonly edges: Edge[];
  /** The last instruction ends the region's control by itself (helper, unsupported, trap). */
  stops: boolean;
  /** Of the block without instructions that indirect jumps go through: where its edges go, by edge. */
  readonly targets?: readonly Address[];
}
export type Edge = { readonly block: number } | { readonly rip: Address };

export interface Cfg {
  readonly blocks: readonly Block[];
  /** Block ids; the first is the region's own entry. */
  readonly entries: readonly number[];
  /** Blocks behind calls that leave the region. */
  readonly afterCall: ReadonlySet<number>;
  readonly instructions: number;
  /** The block with `targets`, which is the last entry; none when no indirect jump has known targets. */
  readonly hub: number | undefined;
}

export interface CodeSource {
  /** Undefined where no code is or no instruction can be decoded. */
  decode(rip: Address): Instruction | undefined;
  /** Whether control leaves to the host there. */
  isHost(rip: Address): boolean;
}

export interface Limits {
  /** Instructions of a region before inlining. */
  readonly region: number;
  /** Instructions of a region with inlined callees. */
  readonly inlined: number;
  /** Instructions of a callee, its own callees counted, that may be inlined; 0 = never. */
  readonly callee: number;
  readonly depth: number;
}

export const defaultLimits: Limits = { region: 600, inlined: 1500, callee: 150, depth: 6 };

interface Place {
  readonly rip: Address;
  readonly context: Context | undefined;
}

/** Blocks by place. Contexts are compared by identity. */
class PlaceMap<T> {
  private readonly maps = new Map<Context | undefined, Map<Address, T>>();
  get({ rip, context }: Place): T | undefined {
    return this.maps.get(context)?.get(rip);
  }
  set({ rip, context }: Place, value: T): void {
    const map = this.maps.get(context);
    if (map) map.set(rip, value);
    else this.maps.set(context, new Map([[rip, value]]));
  }
}

/** Runs straight on behind it: neither control nor a helper alone. */
const plain = ({ record }: Step): boolean => record?.lift !== undefined && record.control === undefined;

export class Discovery {
  private readonly source: CodeSource;
  private readonly limits: Limits;
  /** Instructions of a callee if it can be inlined, else Infinity. */
  private readonly costs = new Map<Address, number>();

  constructor(source: CodeSource, limits: Limits) {
    this.source = source;
    this.limits = limits;
  }

  /** @param targets  addresses that indirect jumps of this code are known to go to: they become blocks of the region. */
  discover(entry: Address, targets: readonly Address[] = []): Cfg {
    const leaders = new PlaceMap<number>();
    const places: Place[] = [];
    const entries: number[] = [];
    const afterCall = new Set<number>();
    const children = new PlaceMap<Context>();
    const work: Place[] = [];
    const seen = new PlaceMap<true>();
    let count = 0;
    const leader = (place: Place): number => {
      const known = leaders.get(place);
      if (known !== undefined) return known;
      leaders.set(place, places.length);
      places.push(place);
      work.push(place);
      return places.length - 1;
    };
    const addEntry = (place: Place): number => {
      const id = leader(place);
      if (!entries.includes(id)) entries.push(id);
      return id;
    };
    addEntry({ rip: entry, context: undefined });
    for (const rip of targets) leader({ rip, context: undefined });
    const regionLimit = targets.length > 0 ? this.limits.inlined : this.limits.region;

    // 1. Walk: which addresses begin a block, which calls are inlined.
    for (let place = work.shift(); place; place = work.shift()) {
      const { context } = place;
      let { rip } = place;
      for (;;) {
        if (seen.get({ rip, context })) break;
        const limit = context ? this.limits.inlined : regionLimit;
        if (count >= limit) break;
        const step = this.step(rip);
        // What is no instruction is no place of the region: control that gets there leaves it.
        if (!step) break;
        seen.set({ rip, context }, true);
        count++;
        const { instruction, record } = step;
        const { target, next } = instruction;
        if (plain(step)) {
          rip = next;
          continue;
        }
        if (record?.control === 'jump' || record?.control === 'branch') {
          if (target !== undefined && this.isCode(target)) leader({ rip: target, context });
          if (record.control === 'branch') leader({ rip: next, context });
        } else if (record?.control === 'call') {
          const cost = target === undefined ? Number.POSITIVE_INFINITY : this.inlineCost(target);
          if (target !== undefined && count + cost < this.limits.inlined && (context?.depth ?? 0) < this.limits.depth) {
            const child: Context = { parent: context, returnTo: next, depth: (context?.depth ?? 0) + 1 };
            children.set({ rip: instruction.rip, context }, child);
            leader({ rip: next, context });
            leader({ rip: target, context: child });
          } else if (context === undefined) afterCall.add(addEntry({ rip: next, context }));
        } else if (record?.helper && !record.control) addEntry({ rip: next, context: undefined });
        break;
      }
    }

    // 2. Cut into blocks. Indirect jumps share a block of their own that finds the one to go on with.
    const inside = targets.filter((rip) => seen.get({ rip, context: undefined }) && this.step(rip));
    const hub = inside.length > 0 ? places.length : undefined;
    const blocks = places.map((place, id): Block => {
      const { context } = place;
      const block: Block = { id, rip: place.rip, context, steps: [], edges: [], stops: false };
      const edge = (rip: Address, to: Context | undefined): Edge => {
        const known = leaders.get({ rip, context: to });
        return known === undefined || !seen.get({ rip, context: to }) ? { rip } : { block: known };
      };
      for (let { rip } = place; ; ) {
        const step = seen.get({ rip, context }) && this.step(rip);
        if (!step || (rip !== place.rip && leaders.get({ rip, context }) !== undefined)) {
          block.edges.push(edge(rip, context));
          return block;
        }
        block.steps.push(step);
        const { instruction, record } = step;
        rip = instruction.next;
        if (plain(step)) continue;
        if (record?.control === 'jump' || record?.control === 'branch') {
          if (instruction.target !== undefined) block.edges.push(edge(instruction.target, context));
          else if (hub !== undefined) block.edges.push({ block: hub });
          if (record.control === 'branch') block.edges.push(edge(instruction.next, context));
        } else if (record?.control === 'call') {
          const child = children.get({ rip: instruction.rip, context });
          if (instruction.target !== undefined)
            block.edges.push(child ? edge(instruction.target, child) : { rip: instruction.target });
        } else if (record?.control === 'return') {
          if (context) block.edges.push(edge(context.returnTo, context.parent));
        } else block.stops = true;
        return block;
      }
    });
    if (hub !== undefined) {
      const edges = inside.map((rip): Edge => ({ block: leaders.get({ rip, context: undefined })! }));
      blocks.push({ id: hub, rip: entry, context: undefined, steps: [], edges, stops: false, targets: inside });
    }
    // An entry that could not be decoded stays out; the engine reports it when control gets there.
    return {
      blocks,
      entries: [
        ...entries.filter((id, i) => i === 0 || blocks[id]!.steps.length > 0),
        ...(hub === undefined ? [] : [hub]),
      ],
      afterCall,
      instructions: count,
      hub,
    };
  }

  private step(rip: Address): Step | undefined {
    if (this.source.isHost(rip)) return undefined;
    const instruction = this.source.decode(rip);
    return instruction && { instruction, record: recordOf(instruction) };
  }

  private isCode(rip: Address): boolean {
    return !this.source.isHost(rip) && this.source.decode(rip) !== undefined;
  }

  /** How many instructions a callee has, itself and all it calls; infinite when it may not be inlined. */
  private inlineCost(entry: Address, depth = 0): number {
    const known = this.costs.get(entry);
    if (known !== undefined) return known;
    const cost = this.measure(entry, depth);
    // what failed only for depth may do better from elsewhere
    if (depth === 0 || cost !== Number.POSITIVE_INFINITY) this.costs.set(entry, cost);
    return cost;
  }

  private measure(entry: Address, depth: number): number {
    if (depth >= this.limits.depth) return Number.POSITIVE_INFINITY;
    const seen = new Set<Address>();
    const work = [entry];
    let cost = 0;
    for (let rip = work.pop(); rip !== undefined; rip = work.pop()) {
      for (let at: Address | undefined = rip; at !== undefined && !seen.has(at); ) {
        seen.add(at);
        const step = this.step(at);
        if (!step?.record?.lift || ++cost > this.limits.callee) return Number.POSITIVE_INFINITY;
        const { target, next } = step.instruction;
        at = undefined;
        switch (step.record.control) {
          case undefined:
            at = next;
            break;
          case 'branch':
            work.push(next);
            at = target;
            break;
          case 'jump':
            if (target === undefined) return Number.POSITIVE_INFINITY;
            at = target;
            break;
          case 'call':
            if (target === undefined || target === entry) return Number.POSITIVE_INFINITY;
            cost += this.inlineCost(target, depth + 1);
            if (cost > this.limits.callee) return Number.POSITIVE_INFINITY;
            at = next;
            break;
        }
      }
    }
    return cost;
  }
}
