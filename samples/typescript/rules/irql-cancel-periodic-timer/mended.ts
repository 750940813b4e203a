/** Mended: at PASSIVE_LEVEL, where the call can wait for the callback. */
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
      MillisecondsPeriod: 1000,
      FunctionContext: NULL,
    });
    return NDIS_STATUS_SUCCESS;
  },

  *halt(adapter) {
    const TimerObject = adapter.Timer;
    yield* wdk.NdisCancelTimerObject({ TimerObject });
    yield* wdk.NdisFreeTimerObject({ TimerObject });
  },
}));
