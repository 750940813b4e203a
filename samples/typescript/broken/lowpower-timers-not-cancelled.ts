/** Broken on purpose: the timers stay set while the device is in D3. */
import { NDIS_STATUS_SUCCESS, NdisDeviceStateD0, OID_PNP_SET_POWER } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { managed, wake } from '../nic/managed.ts';

export default nicMiniport({
  ...managed,
  oids: {
    ...managed.oids,
    *set(nic, adapter, request) {
      if (request.Oid !== OID_PNP_SET_POWER) return yield* managed.oids.set(nic, adapter, request);
      request.BytesDone = 4;
      if (nic.wdk.memory.readU32(request.InformationBuffer) === NdisDeviceStateD0) yield* wake(nic, adapter);
      else {
        // timers.stop is missing.
        yield* nic.parts.interrupts.disable(nic, adapter);
        yield* nic.parts.workItems.stop(nic, adapter);
        yield* nic.parts.hardware.release(nic, adapter);
        adapter.Asleep = true;
      }
      return NDIS_STATUS_SUCCESS;
    },
  },
});
