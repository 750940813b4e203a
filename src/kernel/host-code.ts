/**
 * Addresses that stand for code outside the guest: imported functions, routines of a TypeScript miniport, and the place a
 * guest routine returns to. They lie at the top of guest memory, where nothing is mapped; control that reaches one leaves the
 * CPU. A driver may store and compare them like any pointer.
 */
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

export class HostCode {
  readonly start: Address;
  readonly returnAddress: Address;
  private readonly entries: HostEntry[] = [];
  private readonly addresses = new Map<string, Address>();
  private readonly routines = new Map<Routine, Address>();

  constructor(memory: GuestMemory) {
    this.start = at(BASE, memory.size - HOST_CODE_SIZE);
    this.returnAddress = this.add({ kind: 'return', name: 'return to the kernel' });
  }

  /** The entry whose address this is. */
  at(address: Address): HostEntry | undefined {
    const index = (address - this.start) / SPACING;
    return Number.isInteger(index) ? this.entries[index] : undefined;
  }

  /** The entry an address lies in, for accesses to what has an address but no memory. */
  near(address: Address): HostEntry | undefined {
    return this.entries[Math.floor((address - this.start) / SPACING)];
  }

  /** Whether control at this address leaves the guest. */
  holds(address: Address): boolean {
    return address >= this.start && address < this.start + HOST_CODE_SIZE;
  }

  /** Makes a function known under its name; later `import_` finds it. */
  provide(name: string, record: AnyFunction, services: unknown): void {
    this.addresses.set(name, this.add({ kind: 'function', name, record, services }));
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
    const known = this.addresses.get(name);
    if (known !== undefined) return known;
    const address = this.add({ kind: 'missing', name, module });
    this.addresses.set(name, address);
    return address;
  }

  /** Imports that were asked for and that haltex lacks, each once. */
  missing(): string[] {
    return [...new Set(this.entries.flatMap((entry) => (entry.kind === 'missing' ? [entry.name] : [])))];
  }

  /** The function provided under a name. */
  function(name: string): Extract<HostEntry, { kind: 'function' }> | undefined {
    const address = this.addresses.get(name);
    const entry = address === undefined ? undefined : this.at(address);
    return entry?.kind === 'function' ? entry : undefined;
  }

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
