/** Mended: released in reverse. */
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *halt(adapter) {
    yield* wdk.NdisAcquireSpinLock({ SpinLock: adapter.Lock.address });
    yield* wdk.NdisAcquireSpinLock({ SpinLock: adapter.Other.address });
    adapter.Stopping = 1;
    yield* wdk.NdisReleaseSpinLock({ SpinLock: adapter.Other.address });
    yield* wdk.NdisReleaseSpinLock({ SpinLock: adapter.Lock.address });
  },
}));
