/** Broken on purpose: halt does not deregister DMA. */
import { dma } from '../nic/dma.ts';
import { nicMiniport } from '../nic/driver.ts';

export default nicMiniport({
  dma: {
    ...dma,
    *release(nic, adapter) {
      if (!adapter.Halting) yield* dma.release(nic, adapter);
    },
  },
});
