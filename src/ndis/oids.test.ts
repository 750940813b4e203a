import { describe, expect, it } from 'vitest';
import type { MiniportDriver } from './driver.ts';
import type { OidRequest } from './oids.ts';
import { testNdis } from './testing.ts';

const request: OidRequest = { name: 'a private OID', oid: 0xff48_5801, type: 'QueryInformation', buffer: 4 };
const NOT_SUPPORTED = 0xc00000bb;
const PENDING = 0x103;

/** One driver whose two routines beside the regular one give what a test says. */
function setUp(answer: { direct?: number; synchronous?: number }) {
  const handlers: Record<string, unknown> = {};
  const test = testNdis({ handlers: handlers as MiniportDriver['handlers'] });
  const { kernel } = test;
  const seen: { irql: number; address: number }[] = [];
  const routine = (status: number) =>
    kernel.code.expose(({ OidRequest: { address } }: { OidRequest: { address: number } }) => {
      seen.push({ irql: kernel.scheduler.irql, address });
      return status;
    });
  if (answer.direct !== undefined) handlers.DirectOidRequestHandler = routine(answer.direct);
  if (answer.synchronous !== undefined) handlers.SynchronousOidRequestHandler = routine(answer.synchronous);
  return { ...test, seen };
}

describe('OIDs beside the queue', () => {
  it('reach the direct routine at DISPATCH_LEVEL, and the driver’s status comes back', () => {
    const { ndis, adapter, run, seen } = setUp({ direct: NOT_SUPPORTED });
    expect(run(() => ndis.oids.request(adapter, request, 'direct'))).toMatchObject({ status: NOT_SUPPORTED });
    expect(seen.map(({ irql }) => irql)).toEqual([2]);
    expect(run(() => ndis.oids.request(adapter, request, 'synchronous'))).toMatchObject({ status: NOT_SUPPORTED });
    expect(seen.length).toBe(1);
  });

  it('are completed by the call of their own path only', () => {
    const { kernel, ndis, adapter, wdk, run, seen, facts } = setUp({ direct: PENDING });
    const result = run(function* () {
      kernel.scheduler.startThread(
        'worker',
        (function* () {
          yield { kind: 'wait', what: 'the request', ready: () => seen.length > 0 };
          const completion = { MiniportAdapterHandle: adapter.handle, OidRequest: seen[0]?.address as never };
          yield* wdk.NdisMOidRequestComplete({ ...completion, Status: 0 });
          yield* wdk.NdisMDirectOidRequestComplete({ ...completion, Status: NOT_SUPPORTED });
        })(),
      );
      return yield* ndis.oids.request(adapter, request, 'direct');
    });
    expect(result.status).toBe(NOT_SUPPORTED);
    expect(facts('oid-not-pending').length).toBe(1);
    expect(ndis.oids.outstanding).toBe(0);
  });

  it('may not pend when they are synchronous: the status is what the routine returns', () => {
    const { ndis, adapter, run } = setUp({ synchronous: PENDING });
    expect(run(() => ndis.oids.request(adapter, request, 'synchronous'))).toMatchObject({ status: PENDING });
  });
});
