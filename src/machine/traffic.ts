/** What NDIS and the protocols above ask of any Ethernet miniport: OIDs at start, frames both ways, OIDs at the end. */
import type { OidRequest } from '../ndis/oids.ts';

const query = (name: string, oid: number, room: number): OidRequest => ({
  name,
  oid,
  type: 'QueryInformation',
  buffer: room,
});
const set = (name: string, oid: number, bytes: readonly number[]): OidRequest => ({
  name,
  oid,
  type: 'SetInformation',
  buffer: Uint8Array.from(bytes),
});

const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
/** NDIS_PACKET_TYPE_DIRECTED | MULTICAST | BROADCAST. */
const PACKET_FILTER = [0x0b, 0, 0, 0];

/** NDIS_MEDIUM (ntddndis.h): Ethernet frames, or IP packets without a link-layer header. */
const Medium = { ethernet: 0, ip: 19 } as const;

/** Those of these requests that a miniport of the medium is asked: 802.3 ones are for Ethernet. */
export function asked(medium: number | undefined, requests: readonly OidRequest[]): readonly OidRequest[] {
  return (medium ?? Medium.ethernet) === Medium.ethernet
    ? requests
    : requests.filter(({ name }) => !name.startsWith('OID_802_3_'));
}

/** Sent once the adapter is initialized. Numbers: ntddndis.h. */
export const openingOids: readonly OidRequest[] = [
  query('OID_GEN_VENDOR_DRIVER_VERSION', 0x0001_0116, 4),
  query('OID_GEN_VENDOR_DESCRIPTION', 0x0001_010d, 256),
  query('OID_GEN_VENDOR_ID', 0x0001_010c, 4),
  query('OID_802_3_PERMANENT_ADDRESS', 0x0101_0101, 6),
  query('OID_802_3_CURRENT_ADDRESS', 0x0101_0102, 6),
  query('OID_GEN_MAXIMUM_TOTAL_SIZE', 0x0001_0111, 4),
];

/** Sent while it runs. */
export const runningOids: readonly OidRequest[] = [
  set('OID_GEN_CURRENT_LOOKAHEAD', 0x0001_010f, [0x80, 0, 0, 0]),
  set('OID_802_3_MULTICAST_LIST', 0x0101_0103, [0x01, 0x00, 0x5e, 0x00, 0x00, 0x01]),
  set('OID_GEN_CURRENT_PACKET_FILTER', 0x0001_010e, PACKET_FILTER),
  query('OID_GEN_STATISTICS', 0x0002_0106, 0x98),
  // Too little room: the driver must say how much it needs and write no more than fits.
  query('OID_GEN_STATISTICS', 0x0002_0106, 8),
  query('OID_GEN_VENDOR_DESCRIPTION', 0x0001_010d, 2),
  query('OID_GEN_XMIT_OK', 0x0002_0101, 8),
  query('OID_GEN_TRANSMIT_BUFFER_SPACE', 0x0001_0108, 4),
];

/**
 * Sent by the paths that go past NDIS' queue, where the driver has them: a private OID, which no driver knows and each must refuse.
 * The OIDs Windows itself sends there belong to offloads that a protocol has to set up first.
 */
export const privateOid: OidRequest = query('a private OID', 0xff48_5801, 4);

/** Sent before the stack comes down. */
export const closingOids: readonly OidRequest[] = [
  query('OID_GEN_STATISTICS', 0x0002_0106, 0x98),
  set('OID_GEN_CURRENT_PACKET_FILTER', 0x0001_010e, [0, 0, 0, 0]),
  set('OID_802_3_MULTICAST_LIST', 0x0101_0103, []),
];

/** What a protocol clears before it closes its binding, which is paused by then (page: nc-ndis-protocol_unbind_adapter_ex). */
export const unbindingOids: readonly OidRequest[] = closingOids.filter(({ type }) => type === 'SetInformation');

/** An Ethernet frame to everyone: EtherType 0x88B5 (IEEE local experiments), numbered payload. */
export function frame(number: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(BROADCAST, 0);
  bytes.set([0x02, 0x48, 0x58, 0, 0, number & 0xff], 6);
  bytes.set([0x88, 0xb5], 12);
  for (let i = 14; i < length; i++) bytes[i] = (i + number) & 0xff;
  return bytes;
}

/** What protocols send over the medium: an Ethernet frame, or on an IP medium a UDP datagram to a multicast group. */
export function outgoing(medium: number | undefined, number: number, length: number): Uint8Array {
  if (medium !== Medium.ip) return frame(number, length);
  const bytes = frame(number, length);
  const header = [0x45, 0, length >> 8, length & 0xff, 0, number, 0, 0, 1, 17, 0, 0, 10, 0, 0, 1, 224, 0, 0, 1];
  const sum = header.reduce((total, byte, i) => total + (i % 2 === 0 ? byte << 8 : byte), 0);
  const checksum = ~((sum & 0xffff) + (sum >>> 16)) & 0xffff;
  header[10] = checksum >> 8;
  header[11] = checksum & 0xff;
  // UDP: port 9 (discard) on both sides, no checksum.
  bytes.set([...header, 0, 9, 0, 9, (length - 20) >> 8, (length - 20) & 0xff, 0, 0]);
  return bytes;
}
