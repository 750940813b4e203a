/**
 * Addresses that stand for code outside the guest: imported functions, routines of a TypeScript miniport, and the place a
 * guest routine returns to. They lie at the top of guest memory, where nothing is mapped; control that reaches one leaves the
 * CPU. A driver may store and compare them like any pointer.
 */
import type { Stack } from '../trace/events.ts';
import { type Address, at } from '../trace/units.ts';
import { BASE, type GuestMemory } from '../x64/memory.ts';
import type { Routine } from './layout.ts';
import type { AnyFunction } from './record.ts';

/** Bytes reserved at the top of guest memory. */
export const HOST_CODE_SIZE = 0x10_0000;
const SPACING = 16;

export type HostEntry =
  /** An imported function we have; `services` is what its body works on. */
  | { readonly kind: 'function'; readonly name: string; readonly record: AnyFunction; readonly services: unknown }
  /** An imported function we lack: calling it is `Unsupported`. */
  | { readonly kind: 'missing'; readonly name: string; readonly module: string }
  /** A routine of a TypeScript miniport. */
  | { readonly kind: 'native'; readonly name: string; readonly routine: Routine }
  /** Where a routine called from TypeScript returns to. */
  | { readonly kind: 'return'; readonly name: string };

/** A table of functions as host code lays it out: made once, provided to every machine. */
export class FunctionLayout {
  readonly names: readonly string[];
  readonly records: readonly AnyFunction[];
  readonly positions: ReadonlyMap<string, number>;

  constructor(table: Readonly<Record<string, AnyFunction>>) {
    this.names = Object.keys(table);
    this.records = Object.values(table);
    this.positions = new Map(this.names.map((name, position) => [name, position]));
  }
}

/** The functions of a layout in one machine. */
interface Provided {
  readonly layout: FunctionLayout;
  readonly services: unknown;
  /** Index of the first. */
  readonly first: number;
}

export class HostCode {
  readonly start: Address;
  readonly returnAddress: Address;
  /** Those of layouts are made when something asks for them. */
  private readonly entries: (HostEntry | undefined)[] = [];
  /** The latest first: its names hide those of the others. */
  private readonly layouts: Provided[] = [];
  /** What was provided one by one hides the names of layouts. */
  private readonly addresses = new Map<string, Address>();
  private readonly routines = new Map<Routine, Address>();

  constructor(memory: GuestMemory) {
    this.start = at(BASE, memory.size - HOST_CODE_SIZE);
    this.returnAddress = this.add({ kind: 'return', name: 'return to the kernel' });
  }

  /** The entry whose address this is. */
  at(address: Address): HostEntry | undefined {
    const index = (address - this.start) / SPACING;
    return Number.isInteger(index) ? this.entry(index) : undefined;
  }

  /** The entry an address lies in, for accesses to what has an address but no memory. */
  near(address: Address): HostEntry | undefined {
    return this.entry(Math.floor((address - this.start) / SPACING));
  }

  /** Whether control at this address leaves the guest. */
  holds(address: Address): boolean {
    return address >= this.start && address < this.start + HOST_CODE_SIZE;
  }

  private entry(index: number): HostEntry | undefined {
    const known = this.entries[index];
    if (known !== undefined) return known;
    for (const { layout, services, first } of this.layouts) {
      const position = index - first;
      const record = layout.records[position];
      if (record === undefined) continue;
      const entry: HostEntry = { kind: 'function', name: layout.names[position] as string, record, services };
      this.entries[index] = entry;
      return entry;
    }
    return undefined;
  }

  /** Makes the functions of a layout known under their names. */
  provideAll(layout: FunctionLayout, services: unknown): void {
    this.layouts.unshift({ layout, services, first: this.entries.length });
    this.entries.length += layout.names.length;
  }

  /** Makes a function known under its name; later `import_` finds it. */
  provide(name: string, record: AnyFunction, services: unknown): void {
    this.addresses.set(name, this.add({ kind: 'function', name, record, services }));
  }

  /** The address of a function that goes by a name and is no import of that name: one the kernel puts into a structure. */
  variant(name: string, record: AnyFunction, services: unknown): Address {
    return this.add({ kind: 'function', name, record, services });
  }

  /**
   * Makes a variable the kernel exports known (`ExEventObjectType`, `KeNumberProcessors`): a driver that imports the name gets
   * the variable's address. `provideVariable` (variables.ts) makes the variable too.
   */
  provideData(name: string, address: Address): void {
    this.addresses.set(name, address);
  }

  /** The address of an imported function or variable, known or not. */
  resolve(name: string, module: string): Address {
    const known = this.known(name);
    if (known !== undefined) return known;
    const address = this.add({ kind: 'missing', name, module });
    this.addresses.set(name, address);
    return address;
  }

  /** Imports that were asked for and that haltex lacks, each once. */
  missing(): string[] {
    return [...new Set(this.entries.flatMap((entry) => (entry?.kind === 'missing' ? [entry.name] : [])))];
  }

  private known(name: string): Address | undefined {
    const address = this.addresses.get(name);
    if (address !== undefined) return address;
    for (const { layout, first } of this.layouts) {
      const position = layout.positions.get(name);
      if (position !== undefined) return at(this.start, (first + position) * SPACING);
    }
    return undefined;
  }

  /** The function provided under a name. */
  function(name: string): Extract<HostEntry, { kind: 'function' }> | undefined {
    const address = this.known(name);
    const entry = address === undefined ? undefined : this.at(address);
    return entry?.kind === 'function' ? entry : undefined;
  }

  /** Set when the driver's TypeScript routines are gone with it: gives the stop that running one of them is. */
  retired: ((routine: Address, stack: Stack) => Error) | undefined;

  /** The address of a TypeScript routine; the same routine keeps its address. */
  expose(routine: Routine): Address {
    const known = this.routines.get(routine);
    if (known !== undefined) return known;
    const address = this.add({ kind: 'native', name: routine.name, routine });
    this.routines.set(routine, address);
    return address;
  }

  private add(entry: HostEntry): Address {
    this.entries.push(entry);
    return at(this.start, (this.entries.length - 1) * SPACING);
  }
}
