/** NDIS_OBJECT_HEADER: what every NDIS 6 structure begins with. Page: network/ndis-object-header (ndis_object_header). */
import { struct, u8, u16, type View } from '../kernel/layout.ts';

export const NDIS_OBJECT_HEADER = struct('NDIS_OBJECT_HEADER', { Type: u8, Revision: u8, Size: u16 });

/** Header.Type values (ntddndis.h). */
export const ObjectType = {
  DEFAULT: 0x80,
  MINIPORT_INIT_PARAMETERS: 0x81,
  SG_DMA_DESCRIPTION: 0x83,
  MINIPORT_INTERRUPT: 0x84,
  DEVICE_OBJECT_ATTRIBUTES: 0x85,
  RSS_CAPABILITIES: 0x88,
  MINIPORT_DRIVER_CHARACTERISTICS: 0x8a,
  CO_MINIPORT_CHARACTERISTICS: 0x91,
  MINIPORT_PNP_CHARACTERISTICS: 0x92,
  OID_REQUEST: 0x96,
  TIMER_CHARACTERISTICS: 0x97,
  STATUS_INDICATION: 0x98,
  PORT_CHARACTERISTICS: 0x9c,
  MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES: 0x9e,
  MINIPORT_ADAPTER_GENERAL_ATTRIBUTES: 0x9f,
  MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES: 0xa0,
  MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES: 0xa4,
  CONFIGURATION_OBJECT: 0xa9,
  MINIPORT_ADAPTER_HARDWARE_ASSIST_ATTRIBUTES: 0xaf,
  MINIPORT_ADAPTER_NDK_ATTRIBUTES: 0xb3,
  MINIPORT_SS_CHARACTERISTICS: 0xb4,
  MINIPORT_ADAPTER_PACKET_DIRECT_ATTRIBUTES: 0xc5,
} as const;

export type Header = View<typeof NDIS_OBJECT_HEADER.fields>;

/**
 * Whether a header says it is of this type: by the type itself, or by NDIS_OBJECT_TYPE_DEFAULT where the call already says what
 * the structure is (observed: Microsoft's own samples register themselves and their devices so).
 */
export const isOfType = (header: { readonly Type: number }, type: number): boolean =>
  header.Type === type || header.Type === ObjectType.DEFAULT;

/**
 * What is wrong with a header, in words, or undefined. `sizes` gives the smallest legal Size of each revision, from 1;
 * a larger Size is legal (newer kits grow structures), an unknown revision is read as the newest we know.
 */
export function headerFault(header: Header, type: number, sizes: readonly number[]): string | undefined {
  if (!isOfType(header, type)) return `Header.Type is 0x${header.Type.toString(16)}, not 0x${type.toString(16)}`;
  if (header.Revision < 1) return 'Header.Revision is 0';
  const least = sizes[Math.min(header.Revision, sizes.length) - 1] as number;
  return header.Size < least
    ? `Header.Size is ${header.Size}, below the ${least} of revision ${header.Revision}`
    : undefined;
}
