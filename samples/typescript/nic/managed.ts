/**
 * Power management and crashes, for a driver that NDIS need not halt when the system sleeps, and that wants to stop its NIC when
 * the system crashes. The plain driver has neither: it is halted for sleep.
 */
import {
  type Coroutine,
  NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND,
  NDIS_MINIPORT_ATTRIBUTES_REGISTER_BUGCHECK_CALLBACK,
  NDIS_STATUS_INVALID_LENGTH,
  NDIS_STATUS_SUCCESS,
  NdisDeviceStateD0,
  OID_PNP_SET_POWER,
} from 'haltex';
import type { Adapter, Nic } from './adapter.ts';
import { attributes, register } from './attributes.ts';
import { oids } from './oids.ts';
import { pnp } from './pnp.ts';

const FLAGS = NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND | NDIS_MINIPORT_ATTRIBUTES_REGISTER_BUGCHECK_CALLBACK;

/**
 * PASSIVE_LEVEL, the adapter is paused. Nothing of the driver may come back to the NIC once this has returned (rules
 * hw-access-in-d3, lowpower-timers-not-cancelled).
 */
export function* sleep(nic: Nic, adapter: Adapter): Coroutine<void> {
  const { parts } = nic;
  yield* parts.timers.stop(nic, adapter);
  yield* parts.interrupts.disable(nic, adapter);
  yield* parts.workItems.stop(nic, adapter);
  yield* parts.hardware.release(nic, adapter);
  adapter.Asleep = true;
}

/** PASSIVE_LEVEL. The NIC has forgotten everything. */
export function* wake(nic: Nic, adapter: Adapter): Coroutine<void> {
  const { parts } = nic;
  adapter.Asleep = false;
  // The transmit ring is empty: the adapter was paused.
  adapter.TxClean = 0;
  adapter.TxTail = 0;
  yield* parts.hardware.reset(nic, adapter);
  yield* parts.hardware.program(nic, adapter);
  yield* parts.workItems.start(nic, adapter);
  yield* parts.timers.start(nic, adapter);
  yield* parts.interrupts.enable(nic, adapter);
}

/** The parts that differ from the plain driver's. */
export const managed = {
  attributes: {
    ...attributes,
    registration: (nic: Nic, adapter: Adapter) => register(nic, adapter, FLAGS),
  },
  pnp,
  oids: {
    ...oids,
    /** A miniport may not fail OID_PNP_SET_POWER (rule oid-must-succeed-failed). */
    *set(nic: Nic, adapter: Adapter, request: Parameters<typeof oids.set>[2]): Coroutine<number> {
      if (request.Oid !== OID_PNP_SET_POWER) return yield* oids.set(nic, adapter, request);
      if (request.InformationBufferLength < 4) return NDIS_STATUS_INVALID_LENGTH;
      const state = nic.wdk.memory.readU32(request.InformationBuffer);
      request.BytesDone = 4;
      if (state === NdisDeviceStateD0) yield* wake(nic, adapter);
      else yield* sleep(nic, adapter);
      return NDIS_STATUS_SUCCESS;
    },
  },
};
