/** Broken on purpose: a send that is refused is completed with the adapter's lock held, and the protocol may send again in there. */
import { type Handler, NDIS_STATUS_PAUSED, NET_BUFFER_LIST } from 'haltex';
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
        yield* wdk.locked(adapter.Lock, function* () {
          NET_BUFFER_LIST.at(wdk.memory, args.NetBufferList).Status = NDIS_STATUS_PAUSED;
          yield* wdk.NdisMSendNetBufferListsComplete({
            MiniportAdapterHandle: adapter.AdapterHandle,
            NetBufferList: args.NetBufferList,
            SendCompleteFlags: 0,
          });
        });
      },
  },
});
