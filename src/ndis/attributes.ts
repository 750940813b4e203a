/** NdisMSetMiniportAttributes. Pages: ndis-ndismsetminiportattributes and the `_ndis_miniport_adapter_…_attributes` pages. */
import { failsWith, functionsOf, HANDLE, IN, P } from '../kernel/record.ts';
import { NULL } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import {
  GENERAL_ATTRIBUTES_SIZES,
  NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES,
} from './driver-structures.ts';
import type { Ndis } from './ndis.ts';
import { type Header, headerFault, NDIS_OBJECT_HEADER, ObjectType } from './object-header.ts';
import { NDIS_STATUS_BAD_VERSION, NDIS_STATUS_FAILURE, NDIS_STATUS_SUCCESS } from './status.ts';

const CONNECTED = 1;

function setRegistration(ndis: Ndis, adapter: Adapter, header: Header): number {
  const attributes = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES.at(ndis.kernel.memory, header.address);
  // A NULL context: what NDIS answers is a gap (contract.md C3); drivers without per-adapter state do pass one.
  adapter.context = attributes.MiniportAdapterContext;
  adapter.attributeFlags = attributes.AttributeFlags;
  adapter.checkForHangSeconds = attributes.CheckForHangTimeInSeconds;
  adapter.registrationAttributes = true;
  ndis.registrationAttributesSet(adapter);
  return NDIS_STATUS_SUCCESS;
}

function setGeneral(ndis: Ndis, adapter: Adapter, header: Header): number {
  if (!adapter.registrationAttributes) return NDIS_STATUS_FAILURE;
  const attributes = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES.at(ndis.kernel.memory, header.address);
  adapter.generalAttributes = {
    mtu: attributes.MtuSize,
    macAddress: attributes.CurrentMacAddress.slice(0, Math.min(32, attributes.MacAddressLength)),
    connected: attributes.MediaConnectState === CONNECTED,
    lookahead: attributes.LookaheadSize,
    mediaType: attributes.MediaType,
  };
  const ex = header.Size >= NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES.size;
  adapter.managesPower =
    attributes.PowerManagementCapabilities !== NULL || (ex && attributes.PowerManagementCapabilitiesEx !== NULL);
  return NDIS_STATUS_SUCCESS;
}

function setAddDevice(ndis: Ndis, adapter: Adapter, header: Header): number {
  adapter.addDeviceContext = NDIS_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES.at(
    ndis.kernel.memory,
    header.address,
  ).MiniportAddDeviceContext;
  return NDIS_STATUS_SUCCESS;
}

/** Capabilities NDIS copies and advertises upwards; nothing of them is owed, so knowing that they came is enough. */
const advertised: readonly number[] = [
  ObjectType.MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES,
  ObjectType.MINIPORT_ADAPTER_HARDWARE_ASSIST_ATTRIBUTES,
  ObjectType.MINIPORT_ADAPTER_NDK_ATTRIBUTES,
  ObjectType.MINIPORT_ADAPTER_PACKET_DIRECT_ATTRIBUTES,
  /** NATIVE_802_11 */ 0xa1,
];

const kinds = [
  {
    type: ObjectType.MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
    sizes: [NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES.end],
    set: setRegistration,
  },
  { type: ObjectType.MINIPORT_ADAPTER_GENERAL_ATTRIBUTES, sizes: GENERAL_ATTRIBUTES_SIZES, set: setGeneral },
  {
    type: ObjectType.MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES,
    sizes: [NDIS_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES.offset('Flags') + 4],
    set: setAddDevice,
  },
];

const f = functionsOf<Ndis>();

export const attributeFunctions = {
  NdisMSetMiniportAttributes: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismsetminiportattributes',
    params: { NdisMiniportHandle: HANDLE, MiniportAttributes: IN(NDIS_OBJECT_HEADER) },
    returns: 'status',
    irql: P,
    failures: [failsWith('bad-version', NDIS_STATUS_BAD_VERSION)],
    body(ndis, { NdisMiniportHandle, MiniportAttributes: header }) {
      const adapter = ndis.adapterOf(NdisMiniportHandle);
      if (adapter === undefined) return NDIS_STATUS_FAILURE;
      const kind = kinds.find(({ type }) => type === header.Type);
      if (kind === undefined) return advertised.includes(header.Type) ? NDIS_STATUS_SUCCESS : NDIS_STATUS_BAD_VERSION;
      if (headerFault(header, header.Type, kind.sizes) !== undefined) return NDIS_STATUS_BAD_VERSION;
      return kind.set(ndis, adapter, header);
    },
  }),
};
