import { describe, expect, it } from 'vitest';
import type { Coroutine } from '../kernel/scheduler.ts';
import { NULL, SECOND, type VirtualTime } from '../trace/units.ts';
import { ObjectType } from './object-header.ts';
import { NDIS_STATUS_HARD_ERRORS, NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS } from './status.ts';
import { NDIS_LINK_STATE, NDIS_STATUS_INDICATION, NDIS_STATUS_LINK_STATE } from './status-indications.ts';
import { type TestNdis, testNdis } from './testing.ts';

function* sleep(t: TestNdis, ticks: number): Coroutine<void> {
  const until = (t.kernel.clock.now + ticks) as VirtualTime;
  yield { kind: 'wait', what: 'time', ready: () => t.kernel.clock.now >= until, deadline: until };
}

describe('reset', () => {
  function resettable(status: number, addressingReset = false): { t: TestNdis; oids: number[] } {
    const t = testNdis();
    const oids: number[] = [];
    const handlers = {
      CheckForHangHandlerEx: () => true,
      ResetHandlerEx({ AddressingReset }: { AddressingReset: { set(value: number): void } }) {
        AddressingReset.set(addressingReset ? 1 : 0);
        return status;
      },
      OidRequestHandler({ OidRequest }: { OidRequest: { Oid: number } }) {
        oids.push(OidRequest.Oid);
        return NDIS_STATUS_SUCCESS;
      },
    };
    for (const [name, routine] of Object.entries(handlers)) {
      t.driver.handlers[name as 'ResetHandlerEx'] = t.kernel.code.expose(routine);
    }
    return { t, oids };
  }

  it('follows a hang, and restores what the driver says was reset', () => {
    const { t, oids } = resettable(NDIS_STATUS_SUCCESS, true);
    const hangs = t.run(() => t.ndis.resets.checkForHang(t.adapter));
    expect(hangs).toBe(true);
    expect(oids).toEqual([0x1010e, 0x1010103]);
    expect(t.facts('reset-completed')[0]?.detail).toMatchObject({ status: 'NDIS_STATUS_SUCCESS', state: 'Paused' });
  });

  it('waits for NdisMResetComplete; a second one is unexpected', () => {
    const { t } = resettable(NDIS_STATUS_PENDING);
    const status = t.run(function* () {
      const done = { MiniportAdapterHandle: t.adapter.handle, Status: NDIS_STATUS_HARD_ERRORS, AddressingReset: false };
      t.kernel.scheduler.startThread(
        'driver',
        (function* () {
          yield* sleep(t, SECOND);
          yield* t.wdk.NdisMResetComplete(done);
          yield* t.wdk.NdisMResetComplete(done);
        })(),
      );
      return yield* t.ndis.resets.reset(t.adapter, 'dispatch');
    });
    expect(status).toBe(NDIS_STATUS_HARD_ERRORS);
    expect(t.facts('reset-complete-unexpected')).toHaveLength(1);
    expect(t.events('enter')[0]).toMatchObject({ callback: 'MiniportResetEx', irql: 2 });
  });

  it('runs in a work item when the driver asks for it', () => {
    const { t } = resettable(NDIS_STATUS_SUCCESS);
    t.run(function* () {
      yield* t.wdk.NdisMResetMiniport({ MiniportAdapterHandle: t.adapter.handle });
      expect(t.facts('reset-started')).toEqual([]);
      yield* sleep(t, SECOND);
    });
    expect(t.facts('reset-started')[0]?.context).toBe('NDIS reset work item');
  });

  it('NdisMRemoveMiniport gives the adapter up', () => {
    const t = testNdis();
    t.run(() => t.wdk.NdisMRemoveMiniport({ MiniportHandle: t.adapter.handle }));
    expect(t.adapter.removalRequested).toBe(true);
  });
});

describe('status indications', () => {
  it('have the kit’s layout', () => {
    expect(NDIS_STATUS_INDICATION.offset('Guid')).toBe(0x3c);
    expect(NDIS_STATUS_INDICATION.offset('NdisReserved')).toBe(0x50);
    expect(NDIS_STATUS_INDICATION.size).toBe(0x70);
    expect(NDIS_LINK_STATE.size).toBe(40);
  });

  const linkState = (t: TestNdis, size: number = NDIS_LINK_STATE.size) => {
    const StatusBuffer = t.kernel.heap.allocate(NDIS_LINK_STATE.size, 'NDIS_LINK_STATE', { fill: 0 });
    NDIS_LINK_STATE.write(t.kernel.memory, StatusBuffer, {
      Header: { Type: ObjectType.DEFAULT, Revision: 1, Size: NDIS_LINK_STATE.size },
      MediaConnectState: 1,
    });
    return {
      Header: { Type: ObjectType.STATUS_INDICATION, Revision: 1, Size: NDIS_STATUS_INDICATION.size },
      SourceHandle: t.adapter.handle,
      StatusCode: NDIS_STATUS_LINK_STATE,
      StatusBuffer,
      StatusBufferSize: size,
    };
  };

  it('let NDIS follow the link', () => {
    const t = testNdis();
    t.adapter.generalAttributes = {
      mtu: 1500,
      macAddress: new Uint8Array(6),
      connected: false,
      lookahead: 1500,
      mediaType: 0,
    };
    t.run(() =>
      t.wdk.NdisMIndicateStatusEx({ MiniportAdapterHandle: t.adapter.handle, StatusIndication: linkState(t) }),
    );
    expect(t.adapter.generalAttributes?.connected).toBe(true);
    expect(t.facts('status-indicated')[0]?.detail).toMatchObject({ code: 'NDIS_STATUS_LINK_STATE', state: 'Paused' });
    expect(t.facts('status-invalid-buffer')).toEqual([]);
  });

  it('tell what is wrong with them', () => {
    const t = testNdis();
    t.run(function* () {
      const MiniportAdapterHandle = t.adapter.handle;
      yield* t.wdk.NdisMIndicateStatusEx({ MiniportAdapterHandle, StatusIndication: linkState(t, 8) });
      yield* t.wdk.NdisMIndicateStatusEx({
        MiniportAdapterHandle,
        StatusIndication: { ...linkState(t), SourceHandle: NULL, StatusBuffer: NULL },
      });
    });
    expect(t.facts('status-invalid-buffer').map(({ detail }) => detail.reasons)).toEqual([
      ['StatusBufferSize is 8, below the 40 of NDIS_LINK_STATE'],
      ['SourceHandle is not the adapter handle', 'StatusBuffer is not 40 bytes of memory'],
    ]);
  });
});
