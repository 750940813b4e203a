/** Broken on purpose: the lock that was taken first is released first, and with it the IRQL drops while the other is still held. */
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *halt(adapter) {
    yield* wdk.NdisAcquireSpinLock({ SpinLock: adapter.Lock.address });
    yield* wdk.NdisAcquireSpinLock({ SpinLock: adapter.Other.address });
    adapter.Stopping = 1;
    yield* wdk.NdisReleaseSpinLock({ SpinLock: adapter.Lock.address });
    yield* wdk.NdisReleaseSpinLock({ SpinLock: adapter.Other.address });
  },
}));
