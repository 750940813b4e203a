/** The link: what the NIC says, and what NDIS was told. */
import {
  type Coroutine,
  header,
  MediaConnectStateConnected,
  MediaConnectStateDisconnected,
  MediaDuplexStateFull,
  MediaDuplexStateUnknown,
  NDIS_DEFAULT_PORT_NUMBER,
  NDIS_LINK_SPEED_UNKNOWN,
  NDIS_LINK_STATE,
  NDIS_STATUS_LINK_STATE,
} from 'haltex';
import { type Adapter, type Nic, State } from './adapter.ts';
import { GONE, Register, read, Status } from './hardware.ts';

/** The link state as attributes and indications have it. */
export function linkState({ LinkUp, LinkSpeed }: Adapter) {
  const speed = LinkUp ? BigInt(LinkSpeed) * 1_000_000n : NDIS_LINK_SPEED_UNKNOWN;
  return {
    MediaConnectState: LinkUp ? MediaConnectStateConnected : MediaConnectStateDisconnected,
    MediaDuplexState: LinkUp ? MediaDuplexStateFull : MediaDuplexStateUnknown,
    XmitLinkSpeed: speed,
    RcvLinkSpeed: speed,
  };
}

export const link = {
  /** Up to DISPATCH_LEVEL. */
  *update(nic: Nic, adapter: Adapter): Coroutine<void> {
    const status = read(nic, adapter, Register.STATUS);
    if (status === GONE) return;
    const up = (status & Status.LINK_UP) !== 0;
    const changed = yield* nic.wdk.locked(adapter.Lock, () => {
      const was = adapter.LinkUp;
      adapter.LinkUp = up;
      adapter.LinkSpeed = read(nic, adapter, Register.LINK_SPEED);
      return was !== up;
    });
    if (!changed) return;
    yield* nic.parts.workItems.queue(nic, adapter);
    yield* nic.parts.link.report(nic, adapter);
  },

  /**
   * Up to DISPATCH_LEVEL. Status goes up only while running, and counts as traffic until the call returns: so there is none
   * during initialize or halt (rules status-in-halt, status-after-halt, port-deactivate-with-traffic).
   */
  *report(nic: Nic, adapter: Adapter): Coroutine<void> {
    const report = yield* nic.wdk.locked(adapter.Lock, function* () {
      if (adapter.State !== State.Running || adapter.ReportedUp === adapter.LinkUp) return false;
      adapter.ReportedUp = adapter.LinkUp;
      yield* nic.parts.pending.add(nic, adapter.DataPath, 1);
      return true;
    });
    if (!report) return;
    yield* indicateLinkState(nic, adapter);
    yield* nic.parts.pausing.dataPathRemove(nic, adapter, 1);
  },
};

export function* indicateLinkState({ wdk }: Nic, adapter: Adapter): Coroutine<void> {
  const state = wdk.local(NDIS_LINK_STATE, { Header: header('NDIS_LINK_STATE'), ...linkState(adapter) });
  yield* wdk.NdisMIndicateStatusEx({
    MiniportAdapterHandle: adapter.AdapterHandle,
    StatusIndication: {
      Header: header('NDIS_STATUS_INDICATION'),
      SourceHandle: adapter.AdapterHandle,
      PortNumber: NDIS_DEFAULT_PORT_NUMBER,
      StatusCode: NDIS_STATUS_LINK_STATE,
      StatusBuffer: state.address,
      StatusBufferSize: NDIS_LINK_STATE.size,
    },
  });
}
