/** Mended: MiniportCancelIdleNotification completes it. */
import { header, NDIS_MINIPORT_SS_CHARACTERISTICS, NDIS_STATUS_PENDING } from 'haltex';
import { adapterAt, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  characteristics: {
    *SetOptionsHandler({ NdisDriverHandle }: { NdisDriverHandle: never }) {
      const OptionalHandlers = wdk.local(NDIS_MINIPORT_SS_CHARACTERISTICS, {
        Header: header('NDIS_MINIPORT_SS_CHARACTERISTICS'),
        IdleNotificationHandler: () => NDIS_STATUS_PENDING,
        *CancelIdleNotificationHandler({ MiniportAdapterContext }: { MiniportAdapterContext: number }) {
          const { AdapterHandle } = adapterAt(wdk, MiniportAdapterContext);
          yield* wdk.NdisMIdleNotificationComplete({ MiniportAdapterHandle: AdapterHandle });
        },
      }).address;
      return yield* wdk.NdisSetOptionalHandlers({ NdisHandle: NdisDriverHandle, OptionalHandlers });
    },
  },
}));
