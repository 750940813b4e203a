/**
 * Retreat and advance: moving the start of a NET_BUFFER's used data. A retreat beyond the unused data space puts a new MDL in
 * front of the chain, made by NDIS or by the driver's NetAllocateMdl; that MDL is what an advance owes (`data-start`). Moves
 * within the chain allocate nothing and owe nothing. Pages: network/retreat-operations, network/advance-operations,
 * nblapi-ndisretreatnetbufferdatastart, nblapi-ndisadvancenetbufferdatastart and their list twins.
 */
import { u32 } from '../kernel/layout.ts';
import { BOOLEAN, CODE, callback, D, failsWith, functionsOf, OUT, POINTER, ULONG } from '../kernel/record.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { type Address, hex, NULL } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import { NET_BUFFER, NET_BUFFER_LIST, type NetBuffer, netBuffersOf } from './net-buffer-structures.ts';
import { NDIS_STATUS_FAILURE, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS } from './status.ts';

export const NetAllocateMdl = callback({
  name: 'NetAllocateMdl',
  page: 'nc-nblapi-net_buffer_allocate_mdl',
  params: { BufferSize: OUT(u32) },
  returns: 'pointer',
  irql: D,
});
export const NetFreeMdl = callback({
  name: 'NetFreeMdl',
  page: 'nc-nblapi-net_buffer_free_mdl',
  params: { Mdl: POINTER },
  returns: 'void',
  irql: D,
});

/** An MDL that a retreat put in front. */
interface Growth {
  /** The memory NDIS allocated for it; undefined where the driver's NetAllocateMdl made both. */
  readonly data: Address | undefined;
}

const TYPE = 'data-start';

export class DataStart {
  private readonly ndis: Ndis;
  private readonly grown = new Map<Address, Growth>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  *retreat(buffer: NetBuffer, delta: number, backFill: number, allocate: Address, fn: string): Coroutine<number> {
    if (buffer.DataOffset >= delta) {
      buffer.DataOffset -= delta;
    } else {
      // The unused space there is comes first; the new MDL is for the rest, and for the back fill (assumed).
      const size = delta - buffer.DataOffset + backFill;
      const mdl = yield* this.grow(size, allocate, fn);
      if (mdl === NULL) return NDIS_STATUS_RESOURCES;
      this.ndis.kernel.mdls.at(mdl).Next = buffer.MdlChain;
      buffer.MdlChain = mdl;
      buffer.DataOffset = backFill;
    }
    buffer.DataLength += delta;
    this.ndis.netBufferData.adjustCurrent(buffer);
    return NDIS_STATUS_SUCCESS;
  }

  private *grow(size: number, allocate: Address, fn: string): Coroutine<Address> {
    const { kernel } = this.ndis;
    const stack = kernel.stack();
    let mdl: Address;
    let data: Address | undefined;
    if (allocate === NULL) {
      data = kernel.heap.allocate(size, 'data space of a retreat', { stack });
      mdl = kernel.mdls.describe(data, size, 'MDL of a retreat', stack).address;
    } else {
      const wanted = kernel.heap.allocate(4, 'BufferSize of NetAllocateMdl', { fill: 0 });
      kernel.memory.writeU32(wanted, size);
      mdl = yield* kernel.invoker.invoke(NetAllocateMdl, allocate, { BufferSize: wanted });
      kernel.heap.free(wanted);
      if (mdl === NULL) return NULL;
    }
    this.grown.set(mdl, { data });
    kernel.resources.acquire(TYPE, mdl, { fn, stack, detail: { BufferSize: size } });
    return mdl;
  }

  *advance(buffer: NetBuffer, delta: number, freeMdl: boolean, free: Address, fn: string): Coroutine<void> {
    if (delta > buffer.DataLength) {
      emitFact(this.ndis.kernel, 'net-buffer-advanced-past-end', {
        buffer: hex(buffer.address),
        delta,
        length: buffer.DataLength,
      });
    }
    buffer.DataOffset += delta;
    buffer.DataLength = Math.max(0, buffer.DataLength - delta);
    if (freeMdl) yield* this.shrink(buffer, free, fn);
    this.ndis.netBufferData.adjustCurrent(buffer);
  }

  /** Frees the MDLs in front that a retreat made and that no used data is in. */
  private *shrink(buffer: NetBuffer, free: Address, fn: string): Coroutine<void> {
    const { mdls } = this.ndis.kernel;
    for (let first = buffer.MdlChain; first !== NULL; first = buffer.MdlChain) {
      const growth = this.grown.get(first);
      const mdl = mdls.at(first);
      if (growth === undefined || mdl.ByteCount > buffer.DataOffset) return;
      if (growth.data === undefined && free === NULL) {
        // NDIS cannot know how to free it: the MDL stays where it is, and stays owed (assumed).
        emitFact(this.ndis.kernel, 'retreat-mdl-without-free-handler', { mdl: hex(first) });
        return;
      }
      buffer.DataOffset -= mdl.ByteCount;
      buffer.MdlChain = mdl.Next;
      yield* this.release(first, growth, free, fn);
    }
  }

  private *release(mdl: Address, { data }: Growth, free: Address, fn: string): Coroutine<void> {
    const { kernel } = this.ndis;
    const stack = kernel.stack();
    this.grown.delete(mdl);
    const found = kernel.resources.find([TYPE], mdl);
    kernel.resources.undo([TYPE], mdl, { fn, outcome: 'undone', found, stack });
    if (data === undefined) {
      yield* kernel.invoker.invoke(NetFreeMdl, free, { Mdl: mdl });
      return;
    }
    kernel.mdls.free(mdl, stack);
    kernel.heap.free(data, stack);
  }
}

const bufferAt = (ndis: Ndis, address: Address) => NET_BUFFER.at(ndis.kernel.memory, address);
const buffersOf = ({ kernel: { memory } }: Ndis, list: Address) =>
  netBuffersOf(memory, NET_BUFFER_LIST.at(memory, list));

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS' } as const;
const failures = [failsWith('resources', NDIS_STATUS_RESOURCES), failsWith('failure', NDIS_STATUS_FAILURE)];

export const dataStartFunctions = {
  NdisRetreatNetBufferDataStart: f({
    ...common,
    page: 'nblapi-ndisretreatnetbufferdatastart',
    params: { NetBuffer: POINTER, DataOffsetDelta: ULONG, DataBackFill: ULONG, AllocateMdlHandler: CODE },
    returns: 'status',
    irql: D,
    failures,
    body: (ndis, { NetBuffer, DataOffsetDelta, DataBackFill, AllocateMdlHandler }, { fn }) =>
      ndis.dataStart.retreat(bufferAt(ndis, NetBuffer), DataOffsetDelta, DataBackFill, AllocateMdlHandler, fn),
  }),

  NdisAdvanceNetBufferDataStart: f({
    ...common,
    page: 'nblapi-ndisadvancenetbufferdatastart',
    params: { NetBuffer: POINTER, DataOffsetDelta: ULONG, FreeMdl: BOOLEAN, FreeMdlHandler: CODE },
    returns: 'void',
    irql: D,
    *body(ndis, { NetBuffer, DataOffsetDelta, FreeMdl, FreeMdlHandler }, { fn }) {
      yield* ndis.dataStart.advance(bufferAt(ndis, NetBuffer), DataOffsetDelta, FreeMdl, FreeMdlHandler, fn);
      return undefined;
    },
  }),

  NdisRetreatNetBufferListDataStart: f({
    ...common,
    page: 'nblapi-ndisretreatnetbufferlistdatastart',
    params: {
      NetBufferList: POINTER,
      DataOffsetDelta: ULONG,
      DataBackFill: ULONG,
      AllocateMdlHandler: CODE,
      FreeMdlHandler: CODE,
    },
    returns: 'status',
    irql: D,
    failures,
    *body(ndis, { NetBufferList, DataOffsetDelta, DataBackFill, AllocateMdlHandler, FreeMdlHandler }, { fn }) {
      const done: NetBuffer[] = [];
      for (const buffer of buffersOf(ndis, NetBufferList)) {
        const status = yield* ndis.dataStart.retreat(buffer, DataOffsetDelta, DataBackFill, AllocateMdlHandler, fn);
        if (status !== NDIS_STATUS_SUCCESS) {
          // All or nothing: this is what the call has a FreeMdlHandler for.
          for (const before of done) yield* ndis.dataStart.advance(before, DataOffsetDelta, true, FreeMdlHandler, fn);
          return status;
        }
        done.push(buffer);
      }
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisAdvanceNetBufferListDataStart: f({
    ...common,
    page: 'nblapi-ndisadvancenetbufferlistdatastart',
    params: { NetBufferList: POINTER, DataOffsetDelta: ULONG, FreeMdl: BOOLEAN, FreeMdlHandler: CODE },
    returns: 'void',
    irql: D,
    *body(ndis, { NetBufferList, DataOffsetDelta, FreeMdl, FreeMdlHandler }, { fn }) {
      for (const buffer of buffersOf(ndis, NetBufferList)) {
        yield* ndis.dataStart.advance(buffer, DataOffsetDelta, FreeMdl, FreeMdlHandler, fn);
      }
      return undefined;
    },
  }),
};
