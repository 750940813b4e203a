/**
 * Generic tables: elements in the order of the driver's compare routine, each in memory that the driver's allocate routine gives
 * and its free routine takes back; that memory is what the ledger knows of them. The kernel keeps the order itself, not the tree:
 * an element's header is there and holds nothing a driver may read. Locking is the driver's.
 * Pages: ntddk-rtlinitializegenerictable, ntddk-rtlinsertelementgenerictable, ntddk-rtlenumerategenerictable, their Avl kin.
 */
import { type Address, at, hex, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Invoker } from './invoke.ts';
import type { Kernel } from './kernel.ts';
import { BOOLEAN, CODE, callback, D, functionsOf, POINTER, ULONG } from './record.ts';
import type { Coroutine } from './scheduler.ts';
import { BugCheck } from './stops.ts';

export const GENERIC_COMPARE = callback({
  name: 'CompareRoutine',
  page: 'ntddk-rtlinitializegenerictable',
  params: { Table: POINTER, FirstStruct: POINTER, SecondStruct: POINTER },
  returns: 'u32',
  irql: D,
});
export const GENERIC_ALLOCATE = callback({
  name: 'AllocateRoutine',
  page: 'ntddk-rtlinitializegenerictable',
  params: { Table: POINTER, ByteSize: ULONG },
  returns: 'pointer',
  irql: D,
});
export const GENERIC_FREE = callback({
  name: 'FreeRoutine',
  page: 'ntddk-rtlinitializegenerictable',
  params: { Table: POINTER, Buffer: POINTER },
  returns: 'void',
  irql: D,
});

/** RTL_GENERIC_COMPARE_RESULTS (ntddk.h). */
const LESS = 0;
const GREATER = 1;

/** A splay tree or a balanced one: the sizes of the table and of what precedes an element (ntddk.h; observed for the latter). */
interface Kind {
  readonly name: string;
  readonly size: number;
  readonly header: number;
}
const splay: Kind = { name: 'RTL_GENERIC_TABLE', size: 0x48, header: 0x28 };
const avl: Kind = { name: 'RTL_AVL_TABLE', size: 0x68, header: 0x20 };

interface Table {
  readonly kind: Kind;
  readonly compare: Address;
  readonly allocate: Address;
  readonly free: Address;
  /** Addresses of the elements' own data, in order, and in the order they came in. */
  readonly sorted: Address[];
  readonly inserted: Address[];
  /** Where an enumeration without a key of its own stands. */
  next: number;
}

export class GenericTables {
  private readonly memory: GuestMemory;
  private readonly invoker: () => Invoker;
  private readonly tables = new Map<Address, Table>();

  constructor(parts: { memory: GuestMemory; invoker: () => Invoker }) {
    this.memory = parts.memory;
    this.invoker = parts.invoker;
  }

  initialize(address: Address, kind: Kind, routines: Pick<Table, 'compare' | 'allocate' | 'free'>): void {
    this.memory.fill(address, kind.size, 0);
    this.tables.set(address, { ...routines, kind, sorted: [], inserted: [], next: 0 });
  }

  /** The table; touches its memory, so that one that was freed faults. */
  of(address: Address): Table {
    this.memory.readU8(address);
    const table = this.tables.get(address);
    if (table !== undefined) return table;
    throw new BugCheck(0x50, `no generic table was initialized at ${hex(address)}`);
  }

  /** Where an element equal to the given one stands, or where it would. */
  *find(address: Address, element: Address): Coroutine<{ readonly index: number; readonly equal: boolean }> {
    const { sorted, compare } = this.of(address);
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const args = { Table: address, FirstStruct: element, SecondStruct: sorted[middle] as Address };
      const order = yield* this.invoker().invoke(GENERIC_COMPARE, compare, args);
      if (order === LESS) high = middle;
      else if (order === GREATER) low = middle + 1;
      else return { index: middle, equal: true };
    }
    return { index: low, equal: false };
  }

  /** The element as the table has it; NULL where its memory is not to be had. */
  *insert(address: Address, data: Address, size: number, isNew: Address): Coroutine<Address> {
    const table = this.of(address);
    const { index, equal } = yield* this.find(address, data);
    if (isNew !== NULL) this.memory.writeU8(isNew, equal ? 0 : 1);
    if (equal) return table.sorted[index] as Address;
    const { header } = table.kind;
    const args = { Table: address, ByteSize: header + size };
    const block = yield* this.invoker().invoke(GENERIC_ALLOCATE, table.allocate, args);
    if (block === NULL) {
      if (isNew !== NULL) this.memory.writeU8(isNew, 0);
      return NULL;
    }
    this.memory.fill(block, header, 0);
    const element = at(block, header);
    this.memory.write(element, this.memory.read(data, size));
    table.sorted.splice(index, 0, element);
    table.inserted.push(element);
    return element;
  }

  *lookup(address: Address, data: Address): Coroutine<Address> {
    const { index, equal } = yield* this.find(address, data);
    return equal ? (this.of(address).sorted[index] as Address) : NULL;
  }

  *delete(address: Address, data: Address): Coroutine<boolean> {
    const table = this.of(address);
    const { index, equal } = yield* this.find(address, data);
    if (!equal) return false;
    const [element] = table.sorted.splice(index, 1) as [Address];
    table.inserted.splice(table.inserted.indexOf(element), 1);
    const args = { Table: address, Buffer: at(element, -table.kind.header) };
    yield* this.invoker().invoke(GENERIC_FREE, table.free, args);
    return true;
  }

  enumerate(address: Address, restart: boolean): Address {
    const table = this.of(address);
    if (restart) table.next = 0;
    return table.sorted[table.next++] ?? NULL;
  }

  /** The driver keeps the place: the last element it was given. Where that one has gone, the enumeration ends (assumed). */
  enumerateFrom(address: Address, key: Address): Address {
    const { sorted } = this.of(address);
    const last = this.memory.readPointer(key);
    const next = last === NULL ? sorted[0] : sorted.includes(last) ? sorted[sorted.indexOf(last) + 1] : undefined;
    if (next !== undefined) this.memory.writePointer(key, next);
    return next ?? NULL;
  }
}

const f = functionsOf<Kernel>();
/** They run at the level the driver's routines and memory allow: pages say below DISPATCH_LEVEL where those are pageable. */
const common = { module: 'ntoskrnl.exe', irql: D } as const;
const Table = POINTER;
const Buffer = POINTER;

/** The functions of one kind; `suffix` is what its pages and names end in. */
function family(kind: Kind) {
  const suffix = kind === avl ? 'avl' : '';
  const page = (name: string) => `ntddk-${name}${suffix}`;
  return {
    initialize: f({
      ...common,
      page: page('rtlinitializegenerictable'),
      params: { Table, CompareRoutine: CODE, AllocateRoutine: CODE, FreeRoutine: CODE, TableContext: POINTER },
      returns: 'void',
      body({ genericTables, memory }, { Table, CompareRoutine, AllocateRoutine, FreeRoutine, TableContext }) {
        const routines = { compare: CompareRoutine, allocate: AllocateRoutine, free: FreeRoutine };
        genericTables.initialize(Table, kind, routines);
        // The last member of either structure, which the driver's routines read.
        memory.writePointer(at(Table, kind.size - 8), TableContext);
        return undefined;
      },
    }),
    insert: f({
      ...common,
      page: page('rtlinsertelementgenerictable'),
      params: { Table, Buffer, BufferSize: ULONG, NewElement: POINTER },
      returns: 'pointer',
      body: ({ genericTables }, { Table, Buffer, BufferSize, NewElement }) =>
        genericTables.insert(Table, Buffer, BufferSize, NewElement),
    }),
    delete: f({
      ...common,
      page: page('rtldeleteelementgenerictable'),
      params: { Table, Buffer },
      returns: 'bool',
      body: ({ genericTables }, { Table, Buffer }) => genericTables.delete(Table, Buffer),
    }),
    lookup: f({
      ...common,
      page: page('rtllookupelementgenerictable'),
      params: { Table, Buffer },
      returns: 'pointer',
      body: ({ genericTables }, { Table, Buffer }) => genericTables.lookup(Table, Buffer),
    }),
    enumerate: f({
      ...common,
      page: page('rtlenumerategenerictable'),
      params: { Table, Restart: BOOLEAN },
      returns: 'pointer',
      body: ({ genericTables }, { Table, Restart }) => genericTables.enumerate(Table, Restart),
    }),
    enumerateFrom: f({
      ...common,
      page: page('rtlenumerategenerictablewithoutsplaying'),
      params: { Table, RestartKey: POINTER },
      returns: 'pointer',
      body: ({ genericTables }, { Table, RestartKey }) => genericTables.enumerateFrom(Table, RestartKey),
    }),
    get: f({
      ...common,
      page: page('rtlgetelementgenerictable'),
      params: { Table, I: ULONG },
      returns: 'pointer',
      // A splay tree counts in the order of insertion, a balanced one in its own (pages).
      body: ({ genericTables }, { Table, I }) => {
        const table = genericTables.of(Table);
        return (kind === avl ? table.sorted : table.inserted)[I] ?? NULL;
      },
    }),
    count: f({
      ...common,
      page: page('rtlnumbergenerictableelements'),
      params: { Table },
      returns: 'u32',
      body: ({ genericTables }, { Table }) => genericTables.of(Table).sorted.length,
    }),
    isEmpty: f({
      ...common,
      page: page('rtlisgenerictableempty'),
      params: { Table },
      returns: 'bool',
      body: ({ genericTables }, { Table }) => genericTables.of(Table).sorted.length === 0,
    }),
  };
}

const [s, a] = [family(splay), family(avl)];

export const genericTableFunctions = {
  RtlInitializeGenericTable: s.initialize,
  RtlInsertElementGenericTable: s.insert,
  RtlDeleteElementGenericTable: s.delete,
  RtlLookupElementGenericTable: s.lookup,
  RtlEnumerateGenericTable: s.enumerate,
  RtlEnumerateGenericTableWithoutSplaying: s.enumerateFrom,
  RtlGetElementGenericTable: s.get,
  RtlNumberGenericTableElements: s.count,
  RtlIsGenericTableEmpty: s.isEmpty,
  RtlInitializeGenericTableAvl: a.initialize,
  RtlInsertElementGenericTableAvl: a.insert,
  RtlDeleteElementGenericTableAvl: a.delete,
  RtlLookupElementGenericTableAvl: a.lookup,
  RtlEnumerateGenericTableAvl: a.enumerate,
  RtlEnumerateGenericTableWithoutSplayingAvl: a.enumerateFrom,
  RtlGetElementGenericTableAvl: a.get,
  RtlNumberGenericTableElementsAvl: a.count,
  RtlIsGenericTableEmptyAvl: a.isEmpty,
};
