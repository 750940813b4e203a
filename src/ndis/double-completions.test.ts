/** A routine that completes its operation by a call and gives a final status as well ends it twice. */
import { describe, expect, it } from 'vitest';
import { testNdis } from './testing.ts';

const PENDING = 0x103;

/** A driver whose routines call their completion inside and then return this. */
function completing(status: number) {
  const t = testNdis();
  const handle = { MiniportAdapterHandle: t.adapter.handle };
  const handlers = {
    *PauseHandler() {
      yield* t.wdk.NdisMPauseComplete(handle);
      return status;
    },
    *RestartHandler() {
      yield* t.wdk.NdisMRestartComplete({ ...handle, Status: 0 });
      return status;
    },
    *ResetHandlerEx() {
      yield* t.wdk.NdisMResetComplete({ ...handle, Status: 0, AddressingReset: false });
      return status;
    },
    *OidRequestHandler({ OidRequest }: { OidRequest: { address: never } }) {
      yield* t.wdk.NdisMOidRequestComplete({ ...handle, OidRequest: OidRequest.address, Status: 0 });
      return status;
    },
  };
  for (const [name, routine] of Object.entries(handlers)) {
    t.driver.handlers[name as 'PauseHandler'] = t.kernel.code.expose(routine);
  }
  t.run(function* () {
    yield* t.ndis.lifecycle.restart(t.adapter);
    yield* t.ndis.oids.request(t.adapter, { name: 'an OID', oid: 0xff48_5801, type: 'QueryInformation', buffer: 4 });
    yield* t.ndis.resets.reset(t.adapter);
    yield* t.ndis.lifecycle.pause(t.adapter);
  });
  return t;
}

const TOLD = [
  'restart-complete-unexpected',
  'oid-not-pending',
  'reset-complete-unexpected',
  'pause-complete-unexpected',
];

describe('a completion inside its own routine', () => {
  it('is in order when the routine then returns NDIS_STATUS_PENDING', () => {
    const t = completing(PENDING);
    expect(TOLD.flatMap((what) => t.facts(what))).toEqual([]);
    expect(t.facts('reset-completed')).toHaveLength(1);
    expect(t.facts('pause-completed')).toHaveLength(1);
  });

  it('is one too many when the routine returns a final status', () => {
    const t = completing(0);
    expect(TOLD.map((what) => t.facts(what).map(({ detail }) => detail.returned))).toEqual([
      ['0x0'],
      ['0x0'],
      ['0x0'],
      ['0x0'],
    ]);
    expect(t.facts('reset-completed')).toHaveLength(1);
    expect(t.facts('pause-completed')).toHaveLength(1);
  });
});
