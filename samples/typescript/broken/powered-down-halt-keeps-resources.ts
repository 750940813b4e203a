/** Broken on purpose: halted because the system sleeps, the driver keeps its multicast list for when it wakes. */
import { defineMiniport, NdisHaltDevicePoweredDown, NULL } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { entry } from '../nic/entry.ts';
import { halt } from '../nic/halt.ts';
import { free, memory } from '../nic/memory.ts';

export default defineMiniport((wdk) => {
  let kept = NULL;
  const broken = nicMiniport({
    entry: {
      ...entry,
      *unload(nic, driver) {
        if (kept !== NULL) yield* free(nic, kept);
        yield* entry.unload(nic, driver);
      },
    },
    halt: {
      *run(nic, adapter, action) {
        if (action === NdisHaltDevicePoweredDown) {
          kept = adapter.MulticastList;
          adapter.MulticastList = NULL;
        }
        yield* halt.run(nic, adapter, action);
      },
    },
    memory: {
      ...memory,
      *acquire(nic, adapter) {
        const status = yield* memory.acquire(nic, adapter);
        if (kept !== NULL && adapter.MulticastList !== NULL) {
          yield* free(nic, adapter.MulticastList);
          adapter.MulticastList = kept;
          kept = NULL;
        }
        return status;
      },
      *release(nic, adapter) {
        if (adapter.MulticastList !== NULL) return yield* memory.release(nic, adapter);
        yield* free(nic, adapter.Slots);
      },
    },
  });
  return broken.load(wdk);
});
