/** What a driver hands to NdisMRegisterMiniportDriver, and what its DriverEntry makes of the answer: contract.md C2, B4. */

import { requiredHandlers } from '../ndis/driver.ts';
import { leastCharacteristicsSize } from '../ndis/driver-structures.ts';
import { isOfType, ObjectType } from '../ndis/object-header.ts';
import type { EventOf } from '../trace/events.ts';
import { hex } from '../trace/units.ts';
import { family, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

type Given = Readonly<Record<string, string | number>> & { readonly Header: Readonly<Record<string, number>> };

const characteristics = (call: EventOf<'call'>) => call.args.MiniportDriverCharacteristics as unknown as Given;
/** Missing in an older revision, or NULL. */
const absent = (given: Given, handler: string) => given[handler] === undefined || given[handler] === '0x0';

type Id =
  | 'reg-missing-required-handler'
  | 'reg-hang-without-reset'
  | 'reg-direct-oid-half'
  | 'object-header-invalid'
  | 'driverentry-status-lost'
  | 'reg-sync-oid-with-selective-suspend';

function* judgeCall(call: EventOf<'call'>): Iterable<Violation & { rule: Id }> {
  const given = characteristics(call);
  const at = { seq: call.seq };
  const header = given.Header;
  const type = ObjectType.MINIPORT_DRIVER_CHARACTERISTICS;
  const { Type = 0, Revision = 1, Size = 0 } = header;
  const least = leastCharacteristicsSize(Revision, Number(given.MinorNdisVersion ?? 0));
  const says = `NDIS_MINIPORT_DRIVER_CHARACTERISTICS has Type ${hex(Type)}, Revision ${Revision} and Size ${Size}`;
  if (!isOfType({ Type }, type) || Size < least) {
    const message = `${says}; revision ${Revision} needs Type ${hex(type)} and at least ${least} bytes.`;
    yield { ...at, rule: 'object-header-invalid', message };
    return;
  }
  if (Type !== type) {
    const message = `${says}; NDIS takes it, but the page asks for Type ${hex(type)}.`;
    yield { ...at, rule: 'object-header-invalid', message, severity: 'note' };
  }
  for (const handler of requiredHandlers.filter((name) => absent(given, name))) {
    yield {
      ...at,
      rule: 'reg-missing-required-handler',
      message: `${handler} is NULL in NDIS_MINIPORT_DRIVER_CHARACTERISTICS; NDIS refuses a miniport without it.`,
    };
  }
  if (!absent(given, 'CheckForHangHandlerEx') && absent(given, 'ResetHandlerEx')) {
    yield { ...at, rule: 'reg-hang-without-reset', message: 'CheckForHangHandlerEx is given without ResetHandlerEx.' };
  }
  if (absent(given, 'DirectOidRequestHandler') !== absent(given, 'CancelDirectOidRequestHandler')) {
    yield {
      ...at,
      rule: 'reg-direct-oid-half',
      message: 'DirectOidRequestHandler and CancelDirectOidRequestHandler must both be given, or neither.',
    };
  }
}

/** DriverEntry succeeds though its registration failed. */
function* judgeEntry(view: TraceView): Iterable<Violation & { rule: Id }> {
  const failed = view.returns('NdisMRegisterMiniportDriver').findLast(({ result }) => result !== '0x0');
  const [entry] = view.runs('DriverEntry');
  if (failed === undefined || entry?.leave?.result !== '0x0') return;
  const retried = view
    .returns('NdisMRegisterMiniportDriver')
    .some(({ seq, result }) => seq > failed.seq && result === '0x0');
  if (retried) return;
  yield {
    rule: 'driverentry-status-lost',
    seq: entry.leave.seq,
    message: `NdisMRegisterMiniportDriver fails with ${failed.result}, and DriverEntry returns success all the same.`,
  };
}

/** NdisSetOptionalHandlers for selective suspend, by a driver that also takes synchronous OID requests. */
function* judgeOptional(view: TraceView): Iterable<Violation & { rule: Id }> {
  const given = view.calls('NdisMRegisterMiniportDriver').map(characteristics);
  if (!given.some((handlers) => !absent(handlers, 'SynchronousOidRequestHandler'))) return;
  for (const call of view.calls('NdisSetOptionalHandlers')) {
    const { Type } = (call.args.OptionalHandlers ?? {}) as { readonly Type?: number };
    if (Type !== ObjectType.MINIPORT_SS_CHARACTERISTICS) continue;
    yield {
      rule: 'reg-sync-oid-with-selective-suspend',
      seq: call.seq,
      message: 'A driver that registers MiniportSynchronousOidRequest may not register for selective suspend.',
    };
  }
}

export const registration = family(
  [
    [
      'reg-missing-required-handler',
      'error',
      'a required MiniportXxx entry is NULL at registration',
      'I:_ndis_miniport_driver_characteristics',
    ],
    [
      'reg-hang-without-reset',
      'error',
      'MiniportCheckForHangEx is registered without MiniportResetEx',
      'I:_ndis_miniport_driver_characteristics',
    ],
    [
      'reg-direct-oid-half',
      'error',
      'only one of the two direct OID entries is registered',
      'I:_ndis_miniport_driver_characteristics',
    ],
    ['object-header-invalid', 'error', 'Type, Revision or Size of an NDIS object header is wrong', 'G:bug-check-0x7c'],
    [
      'reg-sync-oid-with-selective-suspend',
      'error',
      'synchronous OID requests and selective suspend are both registered',
      'I:miniport_synchronous_oid_request',
    ],
    [
      'driverentry-status-lost',
      'warning',
      'DriverEntry does not return the status of NdisMRegisterMiniportDriver',
      'N:initializing-a-miniport-driver',
    ],
  ],
  function* (view): Iterable<Violation & { rule: Id }> {
    for (const call of view.calls('NdisMRegisterMiniportDriver')) yield* judgeCall(call);
    yield* judgeEntry(view);
    yield* judgeOptional(view);
  },
);
