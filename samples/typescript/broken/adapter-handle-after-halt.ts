/** Broken on purpose: the driver keeps the handle of its adapter, and resets it once more while it unloads. */
import { defineMiniport, type Handle, NULL } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { entry } from '../nic/entry.ts';
import { halt } from '../nic/halt.ts';

export default defineMiniport((wdk) => {
  let last: Handle = NULL;
  const broken = nicMiniport({
    halt: {
      *run(nic, adapter, action) {
        last = adapter.AdapterHandle;
        yield* halt.run(nic, adapter, action);
      },
    },
    entry: {
      ...entry,
      *unload(nic, driver) {
        if (last !== NULL) yield* nic.wdk.NdisMResetMiniport({ MiniportAdapterHandle: last });
        yield* entry.unload(nic, driver);
      },
    },
  });
  return broken.load(wdk);
});
