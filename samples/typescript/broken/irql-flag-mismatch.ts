/** Broken on purpose: a send that is refused is completed as if the driver were at DISPATCH_LEVEL, wherever it is. */
import { type Handler, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL, NDIS_STATUS_PAUSED, NET_BUFFER_LIST } from 'haltex';
import { adapterAt, State } from '../nic/adapter.ts';
import { nicMiniport } from '../nic/driver.ts';
import { send } from '../nic/send.ts';

export default nicMiniport({
  send: {
    ...send,
    sendLists: (nic): Handler<'MiniportSendNetBufferLists'> =>
      function* MiniportSendNetBufferLists(args) {
        const { wdk } = nic;
        const adapter = adapterAt(nic, args.MiniportAdapterContext);
        if (adapter.State !== State.Pausing) return yield* send.sendLists(nic)(args) ?? [];
        NET_BUFFER_LIST.at(wdk.memory, args.NetBufferList).Status = NDIS_STATUS_PAUSED;
        yield* wdk.NdisMSendNetBufferListsComplete({
          MiniportAdapterHandle: adapter.AdapterHandle,
          NetBufferList: args.NetBufferList,
          SendCompleteFlags: NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL,
        });
      },
  },
});
