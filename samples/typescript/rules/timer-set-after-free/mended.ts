/** Mended: first cancelled, then freed. */
import { header, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { miniport, TAG } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    const { result, pTimerObject } = yield* wdk.NdisAllocateTimerObject({
      NdisHandle: adapter.AdapterHandle,
      TimerCharacteristics: {
        Header: header('NDIS_TIMER_CHARACTERISTICS'),
        AllocationTag: TAG,
        TimerFunction: function* Tick() {},
        FunctionContext: adapter.address,
      },
    });
    if (result !== NDIS_STATUS_SUCCESS) return result;
    adapter.Timer = pTimerObject;
    yield* wdk.NdisSetTimerObject({
      TimerObject: adapter.Timer,
      DueTime: -10_000 * 1000,
      MillisecondsPeriod: 0,
      FunctionContext: NULL,
    });
    return NDIS_STATUS_SUCCESS;
  },

  *halt(adapter) {
    yield* wdk.NdisCancelTimerObject({ TimerObject: adapter.Timer });
    yield* wdk.KeFlushQueuedDpcs();
    yield* wdk.NdisFreeTimerObject({ TimerObject: adapter.Timer });
  },
}));
