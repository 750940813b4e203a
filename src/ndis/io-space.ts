/** Device registers in the driver's address space. Pages: ndis-ndismmapiospace, ndis-ndismunmapiospace. */
import { pointer } from '../kernel/layout.ts';
import { functionsOf, HANDLE, OUT, P, POINTER, SIZE_T, ULONG } from '../kernel/record.ts';
import { type Address, hex, NULL } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_RESOURCE_CONFLICT,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

/** NULL where no device answers. A range of the adapter's own device that it overruns is a fact: the rest reaches nobody. */
function map(ndis: Ndis, adapter: Adapter, physical: number, length: number): Address {
  const { kernel } = ndis;
  const { hardware } = kernel;
  if (hardware.isRam(physical)) {
    emitFact(kernel, 'ram-mapped-as-io-space', { physical: hex(physical), size: length });
    return hardware.virtualOf(physical);
  }
  const range = adapter.device?.ranges.find(
    ({ kind, start, size }) => kind === 'memory' && physical >= start && physical < start + size,
  );
  if (range === undefined) {
    emitFact(kernel, 'io-space-not-ours', { physical: hex(physical), size: length });
  } else if (physical + length > range.start + range.size) {
    emitFact(kernel, 'io-space-beyond-device', { physical: hex(physical), size: length, range: range.size });
  }
  return hardware.mapRegisters(physical, length, 'device registers');
}

const fails = (id: string, status: number) => ({
  id,
  fail({ VirtualAddress }: { readonly VirtualAddress: { set(value: Address): void } }) {
    VirtualAddress.set(NULL);
    return status;
  },
});

const f = functionsOf<Ndis>();

export const ioSpaceFunctions = {
  NdisMMapIoSpace: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismmapiospace',
    params: { VirtualAddress: OUT(pointer), MiniportAdapterHandle: HANDLE, PhysicalAddress: SIZE_T, Length: ULONG },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'io-space',
      key: ({ VirtualAddress }) => VirtualAddress.get(),
      owner: ({ MiniportAdapterHandle }) => MiniportAdapterHandle,
      detail: ({ MiniportAdapterHandle, PhysicalAddress, Length }) => ({
        MiniportAdapterHandle: hex(MiniportAdapterHandle),
        PhysicalAddress: hex(PhysicalAddress),
        Length,
      }),
    },
    failures: [
      fails('resources', NDIS_STATUS_RESOURCES),
      fails('resource-conflict', NDIS_STATUS_RESOURCE_CONFLICT),
      fails('failure', NDIS_STATUS_FAILURE),
    ],
    body(ndis, { VirtualAddress, MiniportAdapterHandle, PhysicalAddress, Length }) {
      const adapter = ndis.adapterOf(MiniportAdapterHandle);
      const virtual = adapter === undefined ? NULL : map(ndis, adapter, PhysicalAddress, Length);
      VirtualAddress.set(virtual);
      return virtual === NULL ? NDIS_STATUS_FAILURE : NDIS_STATUS_SUCCESS;
    },
  }),

  NdisMUnmapIoSpace: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismunmapiospace',
    params: { MiniportAdapterHandle: HANDLE, VirtualAddress: POINTER, Length: ULONG },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['io-space'],
      key: ({ VirtualAddress }) => VirtualAddress,
      match: ({ MiniportAdapterHandle, Length }) => ({ MiniportAdapterHandle: hex(MiniportAdapterHandle), Length }),
      otherwise: () => undefined,
    },
    body(ndis, { VirtualAddress }) {
      ndis.kernel.hardware.unmapRegisters(VirtualAddress);
      return undefined;
    },
  }),
};
