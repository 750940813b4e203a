/** Broken on purpose: all adapters of the driver count in one block, and the first that is halted frees it. */
import { type Address, defineMiniport, NULL } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { allocate, free, memory } from '../nic/memory.ts';
import { oids } from '../nic/oids.ts';

export default defineMiniport((wdk) => {
  let counter: Address = NULL;
  let users = 0;
  /** Where each adapter knows the counter to be. */
  const known = new Map<Address, Address>();
  const broken = nicMiniport({
    memory: {
      ...memory,
      *acquire(nic, adapter) {
        const status = yield* memory.acquire(nic, adapter);
        if (status !== 0) return status;
        if (counter === NULL) counter = yield* allocate(nic, adapter.AdapterHandle, 4);
        known.set(adapter.address, counter);
        users++;
        return status;
      },
      *release(nic, adapter) {
        yield* memory.release(nic, adapter);
        users--;
        // At halt the question whether this is the last adapter is missing.
        if (counter === NULL || (!adapter.Halting && users > 0)) return;
        yield* free(nic, counter);
        counter = NULL;
      },
    },
    oids: {
      ...oids,
      *setMulticastList(nic, adapter, request) {
        const mine = known.get(adapter.address) ?? NULL;
        if (mine !== NULL) wdk.memory.writeU32(mine, wdk.memory.readU32(mine) + 1);
        return yield* oids.setMulticastList(nic, adapter, request);
      },
    },
  });
  return broken.load(wdk);
});
