/**
 * Lists that several processors change at once: doubly linked under a spin lock, and sequenced singly linked lists. Layouts are
 * the real ones, as inlined WDK code reads and writes them. Pages: wdm-exinterlockedinserttaillist,
 * wdm-expinterlockedpushentryslist and their neighbours.
 */
import { type Address, at, fromBits, hex, NULL, toBits } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { ANY, functionsOf, POINTER } from './record.ts';

/**
 * SLIST_HEADER on x64: 16 bits of depth, 48 of a number that changes with every push and pop; then the first entry's address,
 * whose low four bits are zero because entries are 16-byte aligned (wdm.h, HeaderX64).
 */
export class SLists {
  private readonly memory: GuestMemory;

  constructor(memory: GuestMemory) {
    this.memory = memory;
  }

  initialize(head: Address): void {
    this.memory.writeU64(head, 0n);
    this.memory.writeU64(at(head, 8), 0n);
  }

  depth(head: Address): number {
    return this.memory.readU16(head);
  }

  first(head: Address): Address {
    return fromBits(this.memory.readU64(at(head, 8)) & ~0xfn);
  }

  /** Gives the entry that was first. */
  push(head: Address, entry: Address): Address {
    const first = this.first(head);
    this.memory.writePointer(entry, first);
    this.set(head, entry, this.depth(head) + 1);
    return first;
  }

  pop(head: Address): Address {
    const first = this.first(head);
    if (first !== NULL) this.set(head, this.memory.readPointer(first), this.depth(head) - 1);
    return first;
  }

  /** Takes all entries; they stay linked. */
  flush(head: Address): Address {
    const first = this.first(head);
    if (first !== NULL) this.set(head, NULL, 0);
    return first;
  }

  private set(head: Address, first: Address, depth: number): void {
    const sequence = (this.memory.readU64(head) >> 16n) + 1n;
    this.memory.writeU64(head, (sequence << 16n) | BigInt(depth & 0xffff));
    this.memory.writeU64(at(head, 8), toBits(first));
  }
}

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';

/** Runs under the list's lock: another processor that holds it is waited for. */
function locked(page: string, change: (memory: GuestMemory, head: Address, entry: Address) => Address) {
  return f({
    module,
    page,
    params: { ListHead: POINTER, ListEntry: POINTER, Lock: POINTER },
    returns: 'pointer',
    irql: ANY,
    *body({ memory, spinLocks }, { ListHead, ListEntry, Lock }) {
      yield* spinLocks.take(Lock);
      const result = change(memory, ListHead, ListEntry);
      spinLocks.release(Lock);
      return result;
    },
  });
}
function removing(page: string, change: (memory: GuestMemory, head: Address) => Address) {
  return f({
    module,
    page,
    params: { ListHead: POINTER, Lock: POINTER },
    returns: 'pointer',
    irql: ANY,
    *body({ memory, spinLocks }, { ListHead, Lock }) {
      yield* spinLocks.take(Lock);
      const result = change(memory, ListHead);
      spinLocks.release(Lock);
      return result;
    },
  });
}

const next = (memory: GuestMemory, entry: Address) => memory.readPointer(entry);
const previous = (memory: GuestMemory, entry: Address) => memory.readPointer(at(entry, 8));

function insert(memory: GuestMemory, before: Address, entry: Address, after: Address): void {
  memory.writePointer(entry, after);
  memory.writePointer(at(entry, 8), before);
  memory.writePointer(before, entry);
  memory.writePointer(at(after, 8), entry);
}

const pushing = (page: string) =>
  f({
    module,
    page,
    params: { ListHead: POINTER, ListEntry: POINTER },
    returns: 'pointer',
    irql: ANY,
    body({ slists, trace }, { ListHead, ListEntry }) {
      if (ListEntry % 16 !== 0 || ListHead % 16 !== 0) {
        const detail = { head: hex(ListHead), entry: hex(ListEntry) };
        trace.emit({ kind: 'fact', what: 'slist-misaligned', detail });
      }
      return slists.push(ListHead, ListEntry);
    },
  });
const popping = (page: string) =>
  f({
    module,
    page,
    params: { ListHead: POINTER },
    returns: 'pointer',
    irql: ANY,
    body: ({ slists }, { ListHead }) => slists.pop(ListHead),
  });
const flushing = (page: string) =>
  f({
    module,
    page,
    params: { ListHead: POINTER },
    returns: 'pointer',
    irql: ANY,
    body: ({ slists }, { ListHead }) => slists.flush(ListHead),
  });

export const interlockedListFunctions = {
  ExInterlockedInsertHeadList: locked('wdm-exinterlockedinsertheadlist', (memory, head, entry) => {
    const first = next(memory, head);
    insert(memory, head, entry, first);
    return first === head ? NULL : first;
  }),
  ExInterlockedInsertTailList: locked('wdm-exinterlockedinserttaillist', (memory, head, entry) => {
    const last = previous(memory, head);
    insert(memory, last, entry, head);
    return last === head ? NULL : last;
  }),
  ExInterlockedRemoveHeadList: removing('wdm-exinterlockedremoveheadlist', (memory, head) => {
    const first = next(memory, head);
    if (first === head) return NULL;
    const second = next(memory, first);
    memory.writePointer(head, second);
    memory.writePointer(at(second, 8), head);
    return first;
  }),
  ExInterlockedPushEntryList: locked('wdm-exinterlockedpushentrylist', (memory, head, entry) => {
    const first = next(memory, head);
    memory.writePointer(entry, first);
    memory.writePointer(head, entry);
    return first;
  }),
  ExInterlockedPopEntryList: removing('wdm-exinterlockedpopentrylist', (memory, head) => {
    const first = next(memory, head);
    if (first !== NULL) memory.writePointer(head, next(memory, first));
    return first;
  }),
  InitializeSListHead: f({
    module,
    page: 'wdm-initializeslisthead',
    params: { SListHead: POINTER },
    returns: 'void',
    irql: ANY,
    body({ slists }, { SListHead }) {
      slists.initialize(SListHead);
      return undefined;
    },
  }),
  ExQueryDepthSList: f({
    module,
    page: 'wdm-exquerydepthslist',
    params: { SListHead: POINTER },
    returns: 'u16',
    irql: ANY,
    body: ({ slists }, { SListHead }) => slists.depth(SListHead),
  }),
  ExpInterlockedPushEntrySList: pushing('wdm-expinterlockedpushentryslist'),
  ExpInterlockedPopEntrySList: popping('wdm-expinterlockedpopentryslist'),
  ExpInterlockedFlushSList: flushing('wdm-exinterlockedflushslist'),
};
