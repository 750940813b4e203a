/** Broken on purpose: pause succeeds at once, whatever NDIS still has of the driver. */
import { NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS } from 'haltex';
import { State } from '../nic/adapter.ts';
import { nicMiniport } from '../nic/driver.ts';
import { pausing } from '../nic/pausing.ts';

export default nicMiniport({
  pausing: {
    ...pausing,
    *pause(nic, adapter) {
      const status = yield* pausing.pause(nic, adapter);
      if (status !== NDIS_STATUS_PENDING) return status;
      adapter.PausePending = false;
      adapter.State = State.Paused;
      return NDIS_STATUS_SUCCESS;
    },
  },
});
