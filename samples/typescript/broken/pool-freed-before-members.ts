/** Broken on purpose: the NET_BUFFER pool is freed with its NET_BUFFERs, as if it took them along. */
import { NULL } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { receiveBuffers } from '../nic/receive-buffers.ts';

export default nicMiniport({
  receiveBuffers: {
    ...receiveBuffers,
    *releaseSlot(nic, slot) {
      slot.NetBuffer = NULL;
      yield* receiveBuffers.releaseSlot(nic, slot);
    },
  },
});
