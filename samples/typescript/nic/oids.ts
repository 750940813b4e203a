/** OID requests. Every one is answered before the handler returns. */
import {
  type Coroutine,
  type Handler,
  type NDIS_OID_REQUEST,
  NDIS_STATUS_BUFFER_TOO_SHORT,
  NDIS_STATUS_INVALID_DATA,
  NDIS_STATUS_INVALID_LENGTH,
  NDIS_STATUS_NOT_ACCEPTED,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_SUCCESS,
  NdisRequestQueryInformation,
  NdisRequestQueryStatistics,
  NdisRequestSetInformation,
  OID_802_3_CURRENT_ADDRESS,
  OID_802_3_MAXIMUM_LIST_SIZE,
  OID_802_3_MULTICAST_LIST,
  OID_802_3_PERMANENT_ADDRESS,
  OID_GEN_CURRENT_LOOKAHEAD,
  OID_GEN_CURRENT_PACKET_FILTER,
  OID_GEN_MAXIMUM_TOTAL_SIZE,
  OID_GEN_RCV_OK,
  OID_GEN_RECEIVE_BUFFER_SPACE,
  OID_GEN_TRANSMIT_BUFFER_SPACE,
  OID_GEN_VENDOR_DESCRIPTION,
  OID_GEN_VENDOR_DRIVER_VERSION,
  OID_GEN_VENDOR_ID,
  OID_GEN_XMIT_OK,
  type View,
} from 'haltex';
import {
  ADDRESS_LENGTH,
  type Adapter,
  adapterAt,
  BUFFER_LENGTH,
  MAX_FRAME,
  MAX_MULTICAST,
  type Nic,
  RX_SLOTS,
  TX_DESCRIPTORS,
} from './adapter.ts';

type Request = View<typeof NDIS_OID_REQUEST.fields>;

const VENDOR = 'haltex model NIC\0';
const VENDOR_ID = 0x0048_4c54;
const DRIVER_VERSION = 0x0001_0000;

const ulong = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
/** Counters have 64 bits, or 32 where no more is asked for. */
const counter = (value: bigint, room: number) =>
  room < 8 ? ulong(Number(value & 0xffff_ffffn)) : new Uint8Array(BigUint64Array.of(value).buffer);

function answer({ wdk }: Nic, adapter: Adapter, { Oid, InformationBufferLength }: Request): Uint8Array | undefined {
  switch (Oid) {
    case OID_GEN_TRANSMIT_BUFFER_SPACE:
      return ulong(TX_DESCRIPTORS * MAX_FRAME);
    case OID_GEN_RECEIVE_BUFFER_SPACE:
      return ulong(RX_SLOTS * BUFFER_LENGTH);
    case OID_GEN_MAXIMUM_TOTAL_SIZE:
      return ulong(MAX_FRAME);
    case OID_GEN_VENDOR_ID:
      return ulong(VENDOR_ID);
    case OID_GEN_VENDOR_DESCRIPTION:
      return Uint8Array.from(VENDOR, (char) => char.charCodeAt(0));
    case OID_GEN_VENDOR_DRIVER_VERSION:
      return ulong(DRIVER_VERSION);
    case OID_GEN_CURRENT_PACKET_FILTER:
      return ulong(adapter.PacketFilter);
    case OID_GEN_CURRENT_LOOKAHEAD:
      return ulong(adapter.Lookahead);
    case OID_GEN_XMIT_OK:
      return counter(adapter.TxFrames, InformationBufferLength);
    case OID_GEN_RCV_OK:
      return counter(adapter.RxFrames, InformationBufferLength);
    case OID_802_3_PERMANENT_ADDRESS:
      return adapter.PermanentAddress;
    case OID_802_3_CURRENT_ADDRESS:
      return adapter.CurrentAddress;
    case OID_802_3_MAXIMUM_LIST_SIZE:
      return ulong(MAX_MULTICAST);
    case OID_802_3_MULTICAST_LIST:
      return wdk.memory.read(adapter.MulticastList, adapter.MulticastCount * ADDRESS_LENGTH);
    default:
      return undefined;
  }
}

/** Rule oid-bytes-written-overrun: what does not fit is not written. */
function query(nic: Nic, adapter: Adapter, request: Request): number {
  const data = answer(nic, adapter, request);
  if (data === undefined) return NDIS_STATUS_NOT_SUPPORTED;
  if (data.length > request.InformationBufferLength) {
    request.BytesDone = 0;
    request.BytesNeeded = data.length;
    return NDIS_STATUS_BUFFER_TOO_SHORT;
  }
  nic.wdk.memory.write(request.InformationBuffer, data);
  request.BytesDone = data.length;
  return NDIS_STATUS_SUCCESS;
}

export const oids = {
  *setMulticastList(nic: Nic, adapter: Adapter, request: Request): Coroutine<number> {
    const { InformationBuffer, InformationBufferLength } = request;
    const { memory } = nic.wdk;
    if (InformationBufferLength % ADDRESS_LENGTH !== 0) return NDIS_STATUS_INVALID_LENGTH;
    if (InformationBufferLength > MAX_MULTICAST * ADDRESS_LENGTH) return NDIS_STATUS_INVALID_DATA;
    yield* nic.wdk.locked(adapter.Lock, () => {
      memory.write(adapter.MulticastList, memory.read(InformationBuffer, InformationBufferLength));
      adapter.MulticastCount = InformationBufferLength / ADDRESS_LENGTH;
    });
    request.BytesDone = InformationBufferLength;
    return NDIS_STATUS_SUCCESS;
  },

  *set(nic: Nic, adapter: Adapter, request: Request): Coroutine<number> {
    if (request.Oid === OID_802_3_MULTICAST_LIST) return yield* nic.parts.oids.setMulticastList(nic, adapter, request);
    if (request.Oid !== OID_GEN_CURRENT_PACKET_FILTER && request.Oid !== OID_GEN_CURRENT_LOOKAHEAD) {
      return NDIS_STATUS_NOT_SUPPORTED;
    }
    if (request.InformationBufferLength < 4) {
      request.BytesNeeded = 4;
      return NDIS_STATUS_INVALID_LENGTH;
    }
    const value = nic.wdk.memory.readU32(request.InformationBuffer);
    request.BytesDone = 4;
    if (request.Oid === OID_GEN_CURRENT_PACKET_FILTER) adapter.PacketFilter = value;
    else adapter.Lookahead = value;
    return NDIS_STATUS_SUCCESS;
  },

  /** PASSIVE_LEVEL. */
  request: (nic: Nic): Handler<'MiniportOidRequest'> =>
    function* MiniportOidRequest({ MiniportAdapterContext, OidRequest }) {
      const adapter = adapterAt(nic, MiniportAdapterContext);
      // Rule surprise-removal-requests-not-rejected.
      if (adapter.Removed) return NDIS_STATUS_NOT_ACCEPTED;
      switch (OidRequest.RequestType) {
        case NdisRequestQueryInformation:
        case NdisRequestQueryStatistics:
          return query(nic, adapter, OidRequest);
        case NdisRequestSetInformation:
          return yield* nic.parts.oids.set(nic, adapter, OidRequest);
        default:
          return NDIS_STATUS_NOT_SUPPORTED;
      }
    },
};
