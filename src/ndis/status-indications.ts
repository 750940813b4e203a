/**
 * Status indications: what the miniport tells the stack about itself, unasked. NDIS takes over the link state; the rest it
 * passes on. Pages: ndis-ndismindicatestatusex, _ndis_status_indication, network/ndis-status-link-state. Numbers: ndis.h.
 */
import { array, bytes, pointer, struct, u32, u64, type View } from '../kernel/layout.ts';
import { D, functionsOf, HANDLE, IN } from '../kernel/record.ts';
import { type Address, type Handle, hex, NULL } from '../trace/units.ts';
import { type GuestMemory, MemoryFault } from '../x64/memory.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import { headerFault, NDIS_OBJECT_HEADER, ObjectType } from './object-header.ts';

export const NDIS_STATUS_INDICATION = struct('NDIS_STATUS_INDICATION', {
  Header: NDIS_OBJECT_HEADER,
  SourceHandle: pointer,
  PortNumber: u32,
  StatusCode: u32,
  Flags: u32,
  DestinationHandle: pointer,
  RequestId: pointer,
  StatusBuffer: pointer,
  StatusBufferSize: u32,
  Guid: bytes(16, 4),
  NdisReserved: array(pointer, 4),
});
type Indication = View<typeof NDIS_STATUS_INDICATION.fields>;

export const NDIS_LINK_STATE = struct('NDIS_LINK_STATE', {
  Header: NDIS_OBJECT_HEADER,
  MediaConnectState: u32,
  MediaDuplexState: u32,
  XmitLinkSpeed: u64,
  RcvLinkSpeed: u64,
  PauseFunctions: u32,
  AutoNegotiationFlags: u32,
});

/** NDIS_MEDIA_CONNECT_STATE. */
const CONNECTED = 1;
export const NDIS_STATUS_LINK_STATE = 0x4001_0017;

const codes: Readonly<Record<string, number>> = {
  NDIS_STATUS_RESET_START: 0x4001_0004,
  NDIS_STATUS_RESET_END: 0x4001_0005,
  NDIS_STATUS_MEDIA_CONNECT: 0x4001_000b,
  NDIS_STATUS_MEDIA_DISCONNECT: 0x4001_000c,
  NDIS_STATUS_MEDIA_SPECIFIC_INDICATION: 0x4001_0012,
  NDIS_STATUS_LINK_SPEED_CHANGE: 0x4001_0013,
  NDIS_STATUS_LINK_STATE,
  NDIS_STATUS_NETWORK_CHANGE: 0x4001_0018,
  NDIS_STATUS_MEDIA_SPECIFIC_INDICATION_EX: 0x4001_0019,
  NDIS_STATUS_PORT_STATE: 0x4001_0022,
  NDIS_STATUS_OPER_STATUS: 0x4001_0023,
  NDIS_STATUS_PACKET_FILTER: 0x4001_0024,
  NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG: 0x4002_0006,
  NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES: 0x4002_0007,
  NDIS_STATUS_OFFLOAD_ENCASPULATION_CHANGE: 0x4002_0008,
  NDIS_STATUS_HD_SPLIT_CURRENT_CONFIG: 0x4002_000c,
  NDIS_STATUS_RECEIVE_QUEUE_STATE: 0x4002_000d,
  NDIS_STATUS_RECEIVE_FILTER_CURRENT_CAPABILITIES: 0x4002_0010,
  NDIS_STATUS_RECEIVE_FILTER_HARDWARE_CAPABILITIES: 0x4002_0020,
  NDIS_STATUS_NIC_SWITCH_CURRENT_CAPABILITIES: 0x4002_0040,
  NDIS_STATUS_NIC_SWITCH_HARDWARE_CAPABILITIES: 0x4002_0050,
  NDIS_STATUS_QOS_OPERATIONAL_PARAMETERS_CHANGE: 0x4002_00a0,
  NDIS_STATUS_QOS_REMOTE_PARAMETERS_CHANGE: 0x4002_00a1,
  NDIS_STATUS_CURRENT_MAC_ADDRESS_CHANGE: 0x4002_00b0,
  NDIS_STATUS_L2_MTU_SIZE_CHANGE: 0x4002_00b1,
  NDIS_STATUS_PM_WOL_PATTERN_REJECTED: 0x4003_0051,
  NDIS_STATUS_PM_OFFLOAD_REJECTED: 0x4003_0052,
  NDIS_STATUS_PM_CAPABILITIES_CHANGE: 0x4003_0053,
  NDIS_STATUS_PM_WAKE_REASON: 0x4003_0055,
};
const codeNames = new Map(Object.entries(codes).map(([name, code]) => [code, name]));

/** Whether the bytes can be read here and now: pageable ones below DISPATCH_LEVEL only. */
function isMemory(memory: GuestMemory, address: Address, size: number): boolean {
  try {
    memory.read(address, size);
    return true;
  } catch (error) {
    if (error instanceof MemoryFault) return false;
    throw error;
  }
}

/** What is wrong with an indication, in words. */
function faults(ndis: Ndis, handle: Handle, indication: Indication): string[] {
  const { memory } = ndis.kernel;
  const found: (string | undefined)[] = [
    headerFault(indication.Header, ObjectType.STATUS_INDICATION, [NDIS_STATUS_INDICATION.end]),
    indication.SourceHandle === handle ? undefined : 'SourceHandle is not the adapter handle',
    (indication.DestinationHandle === NULL) === (indication.RequestId === NULL)
      ? undefined
      : 'DestinationHandle and RequestId go together',
  ];
  const { StatusBuffer: buffer, StatusBufferSize: size } = indication;
  if (size > 0 && !isMemory(memory, buffer, size)) {
    found.push(`StatusBuffer is not ${size} bytes of memory`);
  } else if (indication.StatusCode === NDIS_STATUS_LINK_STATE) {
    if (size < NDIS_LINK_STATE.size)
      found.push(`StatusBufferSize is ${size}, below the ${NDIS_LINK_STATE.size} of NDIS_LINK_STATE`);
    else found.push(headerFault(NDIS_LINK_STATE.at(memory, buffer).Header, ObjectType.DEFAULT, [NDIS_LINK_STATE.end]));
  }
  return found.filter((reason) => reason !== undefined);
}

const f = functionsOf<Ndis>();

export const statusIndicationFunctions = {
  NdisMIndicateStatusEx: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismindicatestatusex',
    params: { MiniportAdapterHandle: HANDLE, StatusIndication: IN(NDIS_STATUS_INDICATION) },
    returns: 'void',
    irql: D,
    body(ndis, { MiniportAdapterHandle, StatusIndication: indication }) {
      const { kernel } = ndis;
      const adapter = ndis.adapters.find(({ handle }) => handle === MiniportAdapterHandle);
      const code = indication.StatusCode;
      const reasons = faults(ndis, MiniportAdapterHandle, indication);
      const detail = {
        adapter: hex(MiniportAdapterHandle),
        code: codeNames.get(code) ?? hex(code),
        state: adapter?.state ?? 'none',
        registered: adapter?.registrationAttributes ?? false,
        port: indication.PortNumber,
        size: indication.StatusBufferSize,
      };
      emitFact(kernel, 'status-indicated', detail);
      if (reasons.length > 0) emitFact(kernel, 'status-invalid-buffer', { ...detail, reasons });
      else if (code === NDIS_STATUS_LINK_STATE && adapter?.generalAttributes !== undefined) {
        const { MediaConnectState } = NDIS_LINK_STATE.at(kernel.memory, indication.StatusBuffer);
        adapter.generalAttributes.connected = MediaConnectState === CONNECTED;
      }
      return undefined;
    },
  }),
};
