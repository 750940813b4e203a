/**
 * NDIS ports: allocating, activating, deactivating, freeing. Port 0 is the default port: NDIS allocates and frees it, and
 * activates it unless the driver said it controls it. Pages: ndis-ndismallocateport, ndis-ndismfreeport,
 * ndis-ndismnetpnpevent, network/activating-an-ndis-port, network/deactivating-an-ndis-port, network/freeing-an-ndis-port.
 */
import { bytes, pointer, struct, u32, u64 } from '../kernel/layout.ts';
import { D, failsWith, functionsOf, HANDLE, IN, P, ULONG } from '../kernel/record.ts';
import { at, type Handle, hex, NULL } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { Attributes } from './driver-structures.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import { NDIS_OBJECT_HEADER } from './object-header.ts';
import {
  NDIS_STATUS_CLOSING,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_INVALID_DATA,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_INVALID_PORT,
  NDIS_STATUS_INVALID_PORT_STATE,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

export const NDIS_PORT_CHARACTERISTICS = struct('NDIS_PORT_CHARACTERISTICS', {
  Header: NDIS_OBJECT_HEADER,
  PortNumber: u32,
  Flags: u32,
  Type: u32,
  MediaConnectState: u32,
  XmitLinkSpeed: u64,
  RcvLinkSpeed: u64,
  Direction: u32,
  SendControlState: u32,
  RcvControlState: u32,
  SendAuthorizationState: u32,
  RcvAuthorizationState: u32,
});

export const NET_PNP_EVENT_NOTIFICATION = struct('NET_PNP_EVENT_NOTIFICATION', {
  Header: NDIS_OBJECT_HEADER,
  PortNumber: u32,
  NetEvent: u32,
  Buffer: pointer,
  BufferLength: u32,
  Reserved: bytes(16 * 8, 8),
  Flags: u32,
});

/** An element of the list that NetEventPortActivation is given (ntddndis.h). */
export const NDIS_PORT = struct('NDIS_PORT', {
  Next: pointer,
  NdisReserved: pointer,
  MiniportReserved: pointer,
  ProtocolReserved: pointer,
  PortCharacteristics: NDIS_PORT_CHARACTERISTICS,
});

/** NET_PNP_EVENT_CODE. */
export const NetEvent = { PortActivation: 10, PortDeactivation: 11 } as const;

const isNoDeactivation = ({ NetPnPEventNotification: event }: { NetPnPEventNotification: { NetEvent: number } }) =>
  event.NetEvent !== NetEvent.PortDeactivation;

/** A bound on hostile lists; NDIS allows port numbers to 0xFFFFFF. */
const MAX_PORTS = 0x1000;

type PortState = 'allocated' | 'active';

export class Ports {
  private readonly ndis: Ndis;
  /** By adapter, then number. */
  private readonly ports = new Map<Handle, Map<number, PortState>>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** Port 0 comes with the registration attributes. */
  adapterRegistered(adapter: Adapter): void {
    const controlled = (adapter.attributeFlags & Attributes.CONTROLS_DEFAULT_PORT) !== 0;
    this.ports.set(adapter.handle, new Map([[0, controlled ? 'allocated' : 'active']]));
  }

  adapterGone(adapter: Adapter): void {
    this.ports.delete(adapter.handle);
  }

  of(adapter: Handle): Map<number, PortState> {
    return this.ports.get(adapter) ?? new Map();
  }

  allocate(adapter: Handle): number | undefined {
    const ports = this.ports.get(adapter);
    if (ports === undefined) return undefined;
    let number = 1;
    while (ports.has(number)) number++;
    ports.set(number, 'allocated');
    return number;
  }

  free(adapter: Handle, number: number): number {
    const state = this.of(adapter).get(number);
    if (number === 0 || state === undefined) return NDIS_STATUS_INVALID_PORT;
    if (state === 'active') return NDIS_STATUS_INVALID_PORT_STATE;
    this.of(adapter).delete(number);
    return NDIS_STATUS_SUCCESS;
  }

  /** All or nothing. */
  change(adapter: Handle, numbers: readonly number[], from: PortState, to: PortState, fn: string): number {
    const ports = this.of(adapter);
    if (numbers.length === 0) return NDIS_STATUS_INVALID_PARAMETER;
    if (numbers.some((number) => !ports.has(number))) return NDIS_STATUS_INVALID_PORT;
    if (numbers.some((number) => ports.get(number) !== from)) return NDIS_STATUS_INVALID_PORT_STATE;
    // The default port may not be mixed with others in one deactivation (network/deactivating-an-ndis-port).
    if (to === 'allocated' && numbers.includes(0) && numbers.length > 1) return NDIS_STATUS_INVALID_PORT;
    const { resources } = this.ndis.kernel;
    for (const number of numbers) {
      ports.set(number, to);
      const key = portKey(adapter, number);
      const type = number === 0 ? 'default-port-active' : 'active-port';
      if (to === 'active') {
        resources.acquire(type, key, {
          fn,
          owner: adapter,
          detail: { PortNumber: number },
          stack: this.ndis.kernel.stack(),
        });
      } else {
        const receivesOut = this.ndis.receives.outstandingOn(number, adapter);
        emitFact(this.ndis.kernel, 'port-deactivated', { adapter: hex(adapter), port: number, receivesOut });
        resources.undo([type], key, {
          fn,
          outcome: 'undone',
          found: resources.find([type], key),
          stack: this.ndis.kernel.stack(),
        });
      }
    }
    return NDIS_STATUS_SUCCESS;
  }
}

const portKey = (adapter: Handle, number: number) => `port ${number} of ${hex(adapter)}`;

const f = functionsOf<Ndis>();

export const portFunctions = {
  NdisMAllocatePort: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismallocateport',
    params: { NdisMiniportHandle: HANDLE, PortCharacteristics: IN(NDIS_PORT_CHARACTERISTICS) },
    returns: 'status',
    irql: D,
    acquires: {
      type: 'port',
      key: (args) => portKey(args.NdisMiniportHandle, args.PortCharacteristics.PortNumber),
      owner: (args) => args.NdisMiniportHandle,
      detail: (args) => ({ PortNumber: args.PortCharacteristics.PortNumber }),
    },
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('closing', NDIS_STATUS_CLOSING),
      failsWith('invalid-data', NDIS_STATUS_INVALID_DATA),
    ],
    body(ndis, { NdisMiniportHandle, PortCharacteristics }) {
      if (ndis.adapterOf(NdisMiniportHandle) === undefined) return NDIS_STATUS_CLOSING;
      const number = ndis.ports.allocate(NdisMiniportHandle);
      if (number === undefined) return NDIS_STATUS_FAILURE;
      PortCharacteristics.PortNumber = number;
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisMFreePort: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismfreeport',
    params: { NdisMiniportHandle: HANDLE, PortNumber: ULONG },
    returns: 'status',
    irql: D,
    undoes: {
      types: ['port'],
      key: (args) => portKey(args.NdisMiniportHandle, args.PortNumber),
      otherwise: () => NDIS_STATUS_INVALID_PORT,
    },
    body: (ndis, { NdisMiniportHandle, PortNumber }) => ndis.ports.free(NdisMiniportHandle, PortNumber),
  }),

  NdisMNetPnPEvent: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismnetpnpevent',
    params: { MiniportAdapterHandle: HANDLE, NetPnPEventNotification: IN(NET_PNP_EVENT_NOTIFICATION) },
    returns: 'status',
    irql: P,
    // A deactivation in order does not fail by itself: there is nothing a driver that must halt could do about it (assumed).
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('invalid-port', NDIS_STATUS_INVALID_PORT),
      failsWith('invalid-port-state', NDIS_STATUS_INVALID_PORT_STATE),
      failsWith('failure', NDIS_STATUS_FAILURE),
    ].map((failure) => ({ ...failure, when: isNoDeactivation })),
    body(ndis, { MiniportAdapterHandle, NetPnPEventNotification: event }) {
      if (ndis.adapterOf(MiniportAdapterHandle) === undefined) return NDIS_STATUS_FAILURE;
      const { memory } = ndis.kernel;
      if (event.NetEvent === NetEvent.PortActivation) {
        const numbers: number[] = [];
        for (let next = event.Buffer; next !== NULL && numbers.length < MAX_PORTS; ) {
          const port = NDIS_PORT.at(memory, next);
          numbers.push(port.PortCharacteristics.PortNumber);
          next = port.Next;
        }
        return ndis.ports.change(MiniportAdapterHandle, numbers, 'allocated', 'active', 'NdisMNetPnPEvent');
      }
      if (event.NetEvent === NetEvent.PortDeactivation) {
        const count = Math.min(Math.floor(event.BufferLength / 4), MAX_PORTS);
        const numbers = Array.from({ length: event.Buffer === NULL ? 0 : count }, (_, i) =>
          memory.readU32(at(event.Buffer, 4 * i)),
        );
        return ndis.ports.change(MiniportAdapterHandle, numbers, 'active', 'allocated', 'NdisMNetPnPEvent');
      }
      return NDIS_STATUS_NOT_SUPPORTED;
    },
  }),
};
