import { describe, expect, it } from 'vitest';
import type { Coroutine } from '../kernel/scheduler.ts';
import { type Address, at, MILLISECOND, NULL, SECOND, type VirtualTime } from '../trace/units.ts';
import { MemoryFault } from '../x64/memory.ts';
import { NET_BUFFER, NET_BUFFER_LIST } from './net-buffer-structures.ts';
import { ObjectType } from './object-header.ts';
import { NDIS_STATUS_PAUSED, NDIS_STATUS_PENDING, NDIS_STATUS_SEND_ABORTED, NDIS_STATUS_SUCCESS } from './status.ts';
import { type TestNdis, testNdis } from './testing.ts';

const RESOURCES = 2;

interface Miniport extends TestNdis {
  /** Lists MiniportSendNetBufferLists was given and has not completed. */
  readonly queued: Address[];
  /** Addresses MiniportReturnNetBufferLists was given, with the flags. */
  readonly returned: { list: Address; flags: number; context: string }[];
}

/** A running adapter of a driver that queues its sends and notes its returns. */
function miniport(how: { pausePends?: boolean; completes?: boolean } = {}): Miniport {
  const queued: Address[] = [];
  const returned: Miniport['returned'] = [];
  const t = testNdis();
  const chain = (first: Address) => {
    const found: Address[] = [];
    for (let next = first; next !== NULL; next = NET_BUFFER_LIST.at(t.kernel.memory, next).Next) found.push(next);
    return found;
  };
  const handlers = {
    *SendNetBufferListsHandler({ NetBufferList }: { NetBufferList: Address }): Coroutine<void> {
      if (t.adapter.state === 'Pausing' || how.completes) {
        const status = how.completes ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED;
        for (const list of chain(NetBufferList)) NET_BUFFER_LIST.at(t.kernel.memory, list).Status = status;
        yield* t.wdk.NdisMSendNetBufferListsComplete({
          MiniportAdapterHandle: t.adapter.handle,
          NetBufferList,
          SendCompleteFlags: 0,
        });
      } else queued.push(...chain(NetBufferList));
    },
    ReturnNetBufferListsHandler({ NetBufferLists, ReturnFlags }: { NetBufferLists: Address; ReturnFlags: number }) {
      const context = t.kernel.scheduler.current.name;
      for (const list of chain(NetBufferLists)) returned.push({ list, flags: ReturnFlags, context });
    },
    *CancelSendHandler(): Coroutine<void> {
      for (const list of queued.splice(0)) {
        NET_BUFFER_LIST.at(t.kernel.memory, list).Status = NDIS_STATUS_SEND_ABORTED;
        NET_BUFFER_LIST.at(t.kernel.memory, list).Next = NULL;
        yield* complete(t, list);
      }
    },
    PauseHandler: () => (how.pausePends ? NDIS_STATUS_PENDING : NDIS_STATUS_SUCCESS),
    HaltHandlerEx: () => undefined,
  };
  for (const [name, routine] of Object.entries(handlers)) {
    t.driver.handlers[name as 'HaltHandlerEx'] = t.kernel.code.expose(routine);
  }
  t.adapter.move('MiniportRestart');
  t.adapter.move('restart complete');
  return Object.assign(t, { queued, returned });
}

function* complete(t: TestNdis, list: Address): Coroutine<void> {
  yield* t.wdk.NdisMSendNetBufferListsComplete({
    MiniportAdapterHandle: t.adapter.handle,
    NetBufferList: list,
    SendCompleteFlags: 0,
  });
}

function* sleep(t: TestNdis, ticks: number): Coroutine<void> {
  const until = (t.kernel.clock.now + ticks) as VirtualTime;
  yield { kind: 'wait', what: 'time', ready: () => t.kernel.clock.now >= until, deadline: until };
}

const frame = (length: number) => Uint8Array.from({ length }, (_, i) => i & 0xff);

describe('sends', () => {
  it('gives NET_BUFFER_LISTs of frames in MDLs, and frees them once they are completed', () => {
    const t = miniport();
    t.run(function* () {
      const lists = yield* t.ndis.dataPath.send(t.adapter, [frame(60), frame(100), frame(14)], {
        mdls: 3,
        framesPerList: 2,
        backFill: 8,
        level: 'dispatch',
      });
      expect(t.queued).toEqual(lists.map(({ address }) => address));
      expect(t.ndis.dataPath.sendsOut(t.adapter)).toBe(2);
      const list = NET_BUFFER_LIST.at(t.kernel.memory, t.queued[0] as Address);
      const buffer = NET_BUFFER.at(t.kernel.memory, list.FirstNetBuffer);
      expect([list.Status, buffer.DataOffset, buffer.DataLength]).toEqual([NDIS_STATUS_PENDING, 8, 60]);
      expect(t.ndis.netBufferData.read(buffer)).toEqual(frame(60));
      expect(t.ndis.netBufferData.segments(buffer, 0, 60).map(({ length }) => length)).toEqual([14, 23, 23]);
      list.Status = NDIS_STATUS_SUCCESS;
      yield* complete(t, t.queued[0] as Address);
      expect(lists.map(({ status }) => status)).toEqual([NDIS_STATUS_SUCCESS, NDIS_STATUS_PENDING]);
      expect(() => list.Status).toThrow(MemoryFault);
      expect(() => buffer.DataLength).toThrow(MemoryFault);
    });
    expect(t.events('enter')[0]).toMatchObject({ args: { SendFlags: 1 }, irql: 2 });
    expect(t.facts('send-completed')).toHaveLength(2);
  });

  it('tells of a list that is completed twice', () => {
    const t = miniport();
    t.run(function* () {
      yield* t.ndis.dataPath.send(t.adapter, [frame(60)]);
      yield* complete(t, t.queued[0] as Address);
      yield* complete(t, t.queued[0] as Address);
    });
    expect(t.facts('send-completed-unknown')[0]?.detail).toMatchObject({ again: true });
  });

  it('waits for completions no longer than it is told', () => {
    const t = miniport();
    const results = t.run(function* () {
      const lists = yield* t.ndis.dataPath.send(t.adapter, [frame(60)]);
      const first = yield* t.ndis.dataPath.settled(lists, SECOND);
      yield* t.ndis.dataPath.cancelSends(t.adapter, 7);
      return [first, yield* t.ndis.dataPath.settled(lists, SECOND)];
    });
    expect(results).toEqual([false, true]);
    expect(t.facts('send-completed')[0]?.detail).toMatchObject({ status: 'NDIS_STATUS_SEND_ABORTED' });
  });

  it('once a pause has begun, sends only what the scenario insists on, and tells how that ended', () => {
    const t = miniport();
    t.run(function* () {
      t.adapter.move('MiniportPause');
      yield* t.ndis.dataPath.send(t.adapter, [frame(60)], { whilePausing: true });
    });
    expect(t.facts('send-while-paused-result')[0]?.detail).toMatchObject({
      status: 'NDIS_STATUS_PAUSED',
      immediate: true,
    });
    expect(() =>
      t.run(function* () {
        yield* t.ndis.dataPath.send(t.adapter, [frame(60)]);
      }),
    ).toThrow('send-while-pausing');
  });
});

describe('receives', () => {
  /** A list of the driver's with one frame. */
  function* received(t: TestNdis, length = 60): Coroutine<Address> {
    const PoolHandle = yield* t.wdk.NdisAllocateNetBufferListPool({
      NdisHandle: t.adapter.handle,
      Parameters: {
        Header: { Type: ObjectType.DEFAULT, Revision: 1, Size: 16 },
        fAllocateNetBuffer: true,
        DataSize: 2048,
      },
    });
    const address = yield* t.wdk.NdisAllocateNetBufferList({ PoolHandle, ContextSize: 0, ContextBackFill: 0 });
    const list = NET_BUFFER_LIST.at(t.kernel.memory, address);
    const NetBuffer = list.FirstNetBuffer;
    yield* t.wdk.NdisRetreatNetBufferDataStart({
      NetBuffer,
      DataOffsetDelta: length,
      DataBackFill: 0,
      AllocateMdlHandler: NULL,
    });
    const data = yield* t.wdk.NdisGetDataBuffer({
      NetBuffer,
      BytesNeeded: length,
      Storage: NULL,
      AlignMultiple: 1,
      AlignOffset: 0,
    });
    t.kernel.memory.write(data, frame(length));
    list.SourceHandle = t.adapter.handle;
    return address;
  }
  const indicate = (t: TestNdis, NetBufferList: Address, ReceiveFlags = 0, NumberOfNetBufferLists = 1) =>
    t.wdk.NdisMIndicateReceiveNetBufferLists({
      MiniportAdapterHandle: t.adapter.handle,
      NetBufferList,
      PortNumber: 0,
      NumberOfNetBufferLists,
      ReceiveFlags,
    });

  it('reads the frame and gives the list back inside the indication', () => {
    const t = miniport();
    const frames: Uint8Array[] = [];
    t.ndis.receives.onFrame = (_, bytes) => frames.push(bytes);
    t.run(function* () {
      const list = yield* received(t);
      yield* indicate(t, list);
      expect(t.returned).toEqual([{ list, flags: 0, context: 'test' }]);
    });
    expect(frames).toEqual([frame(60)]);
    expect(t.facts('receive-indicated')[0]?.detail).toMatchObject({ state: 'Running', count: 1, resources: false });
    expect(t.facts('nbl-malformed')).toEqual([]);
  });

  it('does not keep a list indicated with the resources flag', () => {
    const t = miniport();
    t.ndis.dataPath.returnReceives = 'later';
    t.run(function* () {
      yield* indicate(t, yield* received(t), RESOURCES);
      expect(t.ndis.dataPath.receivesOut(t.adapter)).toBe(0);
      yield* sleep(t, 10 * MILLISECOND);
    });
    expect(t.returned).toEqual([]);
  });

  it.each(['passive', 'dispatch'] as const)('gives lists back a while later, in another context at %s', (level) => {
    const t = miniport();
    t.ndis.dataPath.returnReceives = 'later';
    t.ndis.receives.level = level;
    t.run(function* () {
      yield* indicate(t, yield* received(t));
      expect([t.returned.length, t.ndis.dataPath.receivesOut(t.adapter)]).toEqual([0, 1]);
      yield* sleep(t, 10 * MILLISECOND);
      expect(t.ndis.dataPath.receivesOut(t.adapter)).toBe(0);
    });
    expect(t.returned).toMatchObject([{ flags: level === 'dispatch' ? 1 : 0 }]);
    expect(t.returned[0]?.context).not.toBe('test');
  });

  it('keeps lists until a pause has begun; a pause that does not wait for them shows', () => {
    const t = miniport();
    t.ndis.dataPath.returnReceives = 'late';
    t.run(function* () {
      yield* indicate(t, yield* received(t));
      yield* sleep(t, SECOND);
      expect(t.returned).toEqual([]);
      yield* t.ndis.lifecycle.pause(t.adapter);
      yield* sleep(t, 30 * MILLISECOND);
      expect(t.returned).toHaveLength(1);
      yield* t.ndis.lifecycle.halt(t.adapter, 'DeviceDisabled');
    });
    expect(t.facts('pause-completed')[0]?.detail).toMatchObject({ receivesOut: 1, sendsOut: 0, indicating: 0 });
    expect(t.facts('halt-returned')[0]?.detail).toMatchObject({ receivesOut: 0, sendsOut: 0 });
  });

  it('counts at the moment of NdisMPauseComplete, and what is out when the halt returns', () => {
    const t = miniport({ pausePends: true });
    t.ndis.dataPath.returnReceives = 'late';
    t.ndis.receives.delay = 5 * SECOND;
    t.run(function* () {
      yield* indicate(t, yield* received(t));
      yield* t.ndis.dataPath.send(t.adapter, [frame(60)]);
      t.kernel.scheduler.startThread(
        'driver',
        (function* () {
          yield* sleep(t, SECOND);
          yield* t.wdk.NdisMPauseComplete({ MiniportAdapterHandle: t.adapter.handle });
        })(),
      );
      yield* t.ndis.lifecycle.pause(t.adapter);
      yield* t.ndis.lifecycle.halt(t.adapter, 'DeviceDisabled');
      yield* sleep(t, 10 * SECOND);
    });
    expect(t.facts('pause-completed')).toHaveLength(1);
    expect(t.facts('pause-completed')[0]).toMatchObject({ context: 'driver', detail: { receivesOut: 1, sendsOut: 1 } });
    expect(t.facts('halt-returned')[0]?.detail).toMatchObject({ receivesOut: 1, sendsOut: 1 });
    expect(t.returned).toEqual([]);
  });

  it('tells of lists indicated twice, freed while up, and badly made', () => {
    const t = miniport();
    t.ndis.dataPath.returnReceives = 'later';
    t.run(function* () {
      const list = yield* received(t);
      yield* indicate(t, list);
      yield* indicate(t, list);
      yield* t.wdk.NdisFreeNetBufferList({ NetBufferList: list });
      const bad = yield* received(t);
      NET_BUFFER_LIST.at(t.kernel.memory, bad).SourceHandle = NULL;
      yield* indicate(t, bad, RESOURCES, 3);
      yield* sleep(t, 10 * MILLISECOND);
    });
    expect(t.facts('nbl-indicated-twice')).toHaveLength(1);
    expect(t.facts('nbl-freed-while-indicated')).toHaveLength(1);
    expect(t.facts('nbl-malformed')[0]?.detail).toMatchObject({ reasons: ['SourceHandle is not the adapter handle'] });
    expect(t.facts('receive-indicated').at(-1)?.detail).toMatchObject({ count: 1, said: 3 });
    expect(t.returned).toEqual([]);
  });

  it('finds data that went while it was up, when the protocol is done with it', () => {
    const t = miniport();
    t.ndis.dataPath.returnReceives = 'later';
    t.run(function* () {
      const list = yield* received(t);
      yield* indicate(t, list);
      const buffer = NET_BUFFER.at(t.kernel.memory, NET_BUFFER_LIST.at(t.kernel.memory, list).FirstNetBuffer);
      const [segment] = t.ndis.netBufferData.segments(buffer, 0, 60);
      t.kernel.heap.free(at(segment?.mdl.StartVa as Address, segment?.mdl.ByteOffset ?? 0));
      yield* sleep(t, 10 * MILLISECOND);
    });
    expect(t.events('fault')[0]).toMatchObject({ by: 'kernel', access: 'read', why: 'freed' });
    expect(t.facts('nbl-data-gone-while-indicated')).toHaveLength(1);
    expect(t.returned).toHaveLength(1);
  });

  it('turns frames back at once where no data path is', () => {
    const t = miniport();
    t.ndis.dataPath.returnReceives = 'later';
    t.run(function* () {
      yield* t.ndis.lifecycle.pause(t.adapter);
      yield* indicate(t, yield* received(t));
      expect(t.returned).toHaveLength(1);
    });
    expect(t.facts('receive-indicated')[0]?.detail).toMatchObject({ state: 'Paused' });
  });
});
