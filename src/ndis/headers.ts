/**
 * Headers of NDIS structures: `Header: header('NDIS_TIMER_CHARACTERISTICS')` instead of a Type, a Revision and a Size by hand.
 * Sizes run through the last field of the revision, as NDIS_SIZEOF_…_REVISION_n of ndis.h do.
 */
import type { Struct } from '../kernel/layout.ts';
import { NDIS_CONFIGURATION_OBJECT } from './configuration.ts';
import { NDIS_SG_DMA_DESCRIPTION } from './dma-structures.ts';
import {
  CHARACTERISTICS_SIZES,
  GENERAL_ATTRIBUTES_SIZES,
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES,
  NDIS_MINIPORT_PNP_CHARACTERISTICS,
  NDIS_MINIPORT_SS_CHARACTERISTICS,
} from './driver-structures.ts';
import { NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS } from './interrupt-structures.ts';
import { NET_BUFFER_LIST_POOL_PARAMETERS, NET_BUFFER_POOL_PARAMETERS } from './net-buffer-structures.ts';
import { ObjectType } from './object-header.ts';
import { NDIS_PORT_CHARACTERISTICS, NET_PNP_EVENT_NOTIFICATION } from './ports.ts';
import { NDIS_LINK_STATE, NDIS_STATUS_INDICATION } from './status-indications.ts';
import { NDIS_TIMER_CHARACTERISTICS } from './timers.ts';

interface Revisions {
  readonly type: number;
  /** Of revision 1 and up. */
  readonly sizes: readonly number[];
}

const only = (type: number, structure: Pick<Struct, 'end'>): Revisions => ({ type, sizes: [structure.end] });

const known = {
  NDIS_MINIPORT_DRIVER_CHARACTERISTICS: {
    type: ObjectType.MINIPORT_DRIVER_CHARACTERISTICS,
    sizes: CHARACTERISTICS_SIZES,
  },
  NDIS_MINIPORT_PNP_CHARACTERISTICS: only(ObjectType.MINIPORT_PNP_CHARACTERISTICS, NDIS_MINIPORT_PNP_CHARACTERISTICS),
  NDIS_MINIPORT_SS_CHARACTERISTICS: only(ObjectType.MINIPORT_SS_CHARACTERISTICS, NDIS_MINIPORT_SS_CHARACTERISTICS),
  NDIS_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES: only(
    ObjectType.MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES,
    NDIS_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES,
  ),
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES: only(
    ObjectType.MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  ),
  NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES: {
    type: ObjectType.MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
    sizes: GENERAL_ATTRIBUTES_SIZES,
  },
  NDIS_CONFIGURATION_OBJECT: only(ObjectType.CONFIGURATION_OBJECT, NDIS_CONFIGURATION_OBJECT),
  NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS: only(ObjectType.MINIPORT_INTERRUPT, NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS),
  NDIS_TIMER_CHARACTERISTICS: only(ObjectType.TIMER_CHARACTERISTICS, NDIS_TIMER_CHARACTERISTICS),
  NDIS_SG_DMA_DESCRIPTION: only(ObjectType.SG_DMA_DESCRIPTION, NDIS_SG_DMA_DESCRIPTION),
  NET_BUFFER_LIST_POOL_PARAMETERS: only(ObjectType.DEFAULT, NET_BUFFER_LIST_POOL_PARAMETERS),
  NET_BUFFER_POOL_PARAMETERS: only(ObjectType.DEFAULT, NET_BUFFER_POOL_PARAMETERS),
  NDIS_PORT_CHARACTERISTICS: only(ObjectType.PORT_CHARACTERISTICS, NDIS_PORT_CHARACTERISTICS),
  NET_PNP_EVENT_NOTIFICATION: only(ObjectType.DEFAULT, NET_PNP_EVENT_NOTIFICATION),
  NDIS_STATUS_INDICATION: only(ObjectType.STATUS_INDICATION, NDIS_STATUS_INDICATION),
  NDIS_LINK_STATE: only(ObjectType.DEFAULT, NDIS_LINK_STATE),
} as const satisfies Readonly<Record<string, Revisions>>;

/** The header of a structure by its name; revision 1 unless you say otherwise. */
export function header(
  name: keyof typeof known,
  revision = 1,
): { readonly Type: number; readonly Revision: number; readonly Size: number } {
  const { type, sizes }: Revisions = known[name];
  const Size = sizes[revision - 1];
  if (Size === undefined) throw new RangeError(`${name} has revisions 1 to ${sizes.length}, not ${revision}`);
  return { Type: type, Revision: revision, Size };
}
