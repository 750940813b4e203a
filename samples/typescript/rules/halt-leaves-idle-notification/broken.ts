/** Broken on purpose: NDIS cancels the idle notification, and nobody completes it. */
import { header, NDIS_MINIPORT_SS_CHARACTERISTICS, NDIS_STATUS_PENDING } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  characteristics: {
    *SetOptionsHandler({ NdisDriverHandle }: { NdisDriverHandle: never }) {
      const OptionalHandlers = wdk.local(NDIS_MINIPORT_SS_CHARACTERISTICS, {
        Header: header('NDIS_MINIPORT_SS_CHARACTERISTICS'),
        IdleNotificationHandler: () => NDIS_STATUS_PENDING,
        CancelIdleNotificationHandler: () => {},
      }).address;
      return yield* wdk.NdisSetOptionalHandlers({ NdisHandle: NdisDriverHandle, OptionalHandlers });
    },
  },
}));
