/** Broken on purpose: pause calls it a failure when there was nothing to wait for. */
import { NDIS_STATUS_FAILURE, NDIS_STATUS_SUCCESS } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { pausing } from '../nic/pausing.ts';

export default nicMiniport({
  pausing: {
    ...pausing,
    *pause(nic, adapter) {
      const status = yield* pausing.pause(nic, adapter);
      return status === NDIS_STATUS_SUCCESS ? NDIS_STATUS_FAILURE : status;
    },
  },
});
