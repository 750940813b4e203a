/**
 * Ranges of I/O ports. PortOffset is the first port itself: x64 has a port space, which NdisRawReadPortXxx reach with `in` and
 * `out` (inlined), so whether a port is still the driver's is checked at every access.
 * Pages: ndis-ndismregisterioportrange, ndis-ndismderegisterioportrange.
 */
import { pointer } from '../kernel/layout.ts';
import { failsWith, functionsOf, HANDLE, OUT, P, POINTER, ULONG } from '../kernel/record.ts';
import { type Address, type Handle, hex } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_RESOURCE_CONFLICT,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

interface Range {
  readonly adapter: Handle;
  readonly start: number;
  readonly count: number;
  live: boolean;
}

export class IoPorts {
  private readonly ndis: Ndis;
  private readonly ranges: Range[] = [];
  /** One fact for each range and kind of access. */
  private readonly told = new Set<string>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
    ndis.kernel.hardware.watchPort = (port, size, access) => this.accessed(port, size, access);
  }

  register(adapter: Handle, start: number, count: number): number {
    const device = this.ndis.adapterOf(adapter)?.device;
    const own = device?.ranges.some(
      (range) => range.kind === 'port' && start >= range.start && start + count <= range.start + range.size,
    );
    if (!own) return NDIS_STATUS_RESOURCE_CONFLICT;
    if (this.ranges.some((range) => range.live && start < range.start + range.count && range.start < start + count)) {
      return NDIS_STATUS_RESOURCE_CONFLICT;
    }
    this.ranges.push({ adapter, start, count, live: true });
    return NDIS_STATUS_SUCCESS;
  }

  release(start: number): void {
    const range = this.ranges.find((candidate) => candidate.live && candidate.start === start);
    if (range !== undefined) range.live = false;
  }

  /** Ports of our devices that nobody holds; what is not a device's (CMOS, POST codes) is not looked at. */
  private accessed(port: number, size: number, access: 'read' | 'write'): void {
    const inside = ({ start, count }: { start: number; count: number }) =>
      port >= start && port + size <= start + count;
    if (this.ranges.some((range) => range.live && inside(range))) return;
    const released = this.ranges.findLast(inside);
    const owner = this.ndis.adapters.find((adapter) =>
      adapter.device?.ranges.some(
        (range) => range.kind === 'port' && inside({ start: range.start, count: range.size }),
      ),
    );
    if (released === undefined && owner === undefined) return;
    const what = released === undefined ? 'port-access-unregistered' : 'port-access-after-release';
    const key = `${what} ${released?.start ?? port} ${access}`;
    if (this.told.has(key)) return;
    this.told.add(key);
    emitFact(this.ndis.kernel, what, { port: hex(port), size, access });
  }
}

const key = (adapter: Handle, start: number) => `ports ${hex(start)} of ${hex(adapter)}`;

const f = functionsOf<Ndis>();

export const ioPortFunctions = {
  NdisMRegisterIoPortRange: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismregisterioportrange',
    params: { PortOffset: OUT(pointer), MiniportAdapterHandle: HANDLE, InitialPort: ULONG, NumberOfPorts: ULONG },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'io-port-range',
      key: ({ MiniportAdapterHandle, InitialPort }) => key(MiniportAdapterHandle, InitialPort),
      owner: ({ MiniportAdapterHandle }) => MiniportAdapterHandle,
      detail: ({ InitialPort, NumberOfPorts, PortOffset }) => ({
        InitialPort,
        NumberOfPorts,
        PortOffset: hex(PortOffset.get()),
      }),
    },
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('resource-conflict', NDIS_STATUS_RESOURCE_CONFLICT),
      failsWith('failure', NDIS_STATUS_FAILURE),
    ],
    body(ndis, { PortOffset, MiniportAdapterHandle, InitialPort, NumberOfPorts }) {
      if (ndis.adapterOf(MiniportAdapterHandle) === undefined) return NDIS_STATUS_FAILURE;
      const status = ndis.ioPorts.register(MiniportAdapterHandle, InitialPort, NumberOfPorts);
      if (status === NDIS_STATUS_SUCCESS) PortOffset.set(InitialPort as Address);
      return status;
    },
  }),

  NdisMDeregisterIoPortRange: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismderegisterioportrange',
    params: { MiniportAdapterHandle: HANDLE, InitialPort: ULONG, NumberOfPorts: ULONG, PortOffset: POINTER },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['io-port-range'],
      key: ({ MiniportAdapterHandle, InitialPort }) => key(MiniportAdapterHandle, InitialPort),
      match: ({ InitialPort, NumberOfPorts, PortOffset }) => ({
        InitialPort,
        NumberOfPorts,
        PortOffset: hex(PortOffset),
      }),
      otherwise: () => undefined,
    },
    body(ndis, { InitialPort }) {
      ndis.ioPorts.release(InitialPort);
      return undefined;
    },
  }),
};
