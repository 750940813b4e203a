/**
 * Network interface providers. Pages: ndis-ndisifregisterprovider, ndis-ndisifregisterinterface, ndis-ndisifallocatenetluidindex,
 * ndis-ndisifgetinterfaceindexfromnetluid and their undoing neighbours. NetLuid indexes persist by design, so they are not owed.
 */
import { pointer, struct, u32, u64 } from '../kernel/layout.ts';
import { failsWith, functionsOf, HANDLE, IN, OUT, P, POINTER, ULONG, ULONG64, USHORT } from '../kernel/record.ts';
import { type Handle, hex } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import { headerFault, NDIS_OBJECT_HEADER, ObjectType } from './object-header.ts';
import {
  NDIS_STATUS_DUPLICATE_OBJECTID,
  NDIS_STATUS_INTERFACE_NOT_FOUND,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

export const NDIS_IF_PROVIDER_CHARACTERISTICS = struct('NDIS_IF_PROVIDER_CHARACTERISTICS', {
  Header: NDIS_OBJECT_HEADER,
  QueryObjectHandler: pointer,
  SetObjectHandler: pointer,
  Reserved1: pointer,
  Reserved2: pointer,
});

interface Interface {
  readonly provider: Handle;
  readonly luid: bigint;
}

/** Indexes below are the machine's own (the adapter's is 7). */
const FIRST_INDEX = 16;

export class Interfaces {
  private readonly ndis: Ndis;
  private readonly providers = new Set<Handle>();
  private readonly interfaces = new Map<number, Interface>();
  private readonly luidIndexes = new Map<number, Set<number>>();
  private next = FIRST_INDEX;

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  addProvider(): Handle {
    const provider = this.ndis.newHandle('NDIS interface provider');
    this.providers.add(provider);
    return provider;
  }

  /** All its interfaces must be gone before (0x7C/17). */
  removeProvider(provider: Handle): void {
    const left = [...this.interfaces].filter(([, entry]) => entry.provider === provider).map(([index]) => index);
    if (left.length > 0) {
      emitFact(this.ndis.kernel, 'if-provider-has-interfaces', { provider: hex(provider), interfaces: left });
    }
    this.providers.delete(provider);
  }

  /** The new interface's index, or the status it is refused with. */
  add(provider: Handle, luid: bigint): { index: number } | { status: number } {
    if (!this.providers.has(provider)) return { status: NDIS_STATUS_INVALID_PARAMETER };
    if (this.indexOf(luid) !== undefined) return { status: NDIS_STATUS_DUPLICATE_OBJECTID };
    const index = this.next++;
    this.interfaces.set(index, { provider, luid });
    return { index };
  }

  remove(index: number): void {
    this.interfaces.delete(index);
  }

  indexOf(luid: bigint): number | undefined {
    return [...this.interfaces].find(([, entry]) => entry.luid === luid)?.[0];
  }

  luidOf(index: number): bigint | undefined {
    return this.interfaces.get(index)?.luid;
  }

  /** Indexes count up from 1 for each interface type and are never given out again. */
  allocateLuidIndex(type: number): number {
    const taken = this.luidIndexes.get(type) ?? new Set();
    this.luidIndexes.set(type, taken);
    taken.add(taken.size + 1);
    return taken.size;
  }

  knowsLuidIndex(type: number, index: number): boolean {
    return this.luidIndexes.get(type)?.has(index) ?? false;
  }
}

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS', irql: P } as const;

export const interfaceFunctions = {
  NdisIfRegisterProvider: f({
    ...common,
    page: 'ndis-ndisifregisterprovider',
    params: {
      ProviderCharacteristics: IN(NDIS_IF_PROVIDER_CHARACTERISTICS),
      IfProviderContext: HANDLE,
      pNdisIfProviderHandle: OUT(pointer),
    },
    returns: 'status',
    acquires: { type: 'if-provider', key: ({ pNdisIfProviderHandle }) => pNdisIfProviderHandle.get() },
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('invalid-parameter', NDIS_STATUS_INVALID_PARAMETER),
      failsWith('not-supported', NDIS_STATUS_NOT_SUPPORTED),
    ],
    body(ndis, { ProviderCharacteristics, pNdisIfProviderHandle }) {
      const size = NDIS_IF_PROVIDER_CHARACTERISTICS.end;
      if (headerFault(ProviderCharacteristics.Header, ObjectType.DEFAULT, [size]) !== undefined) {
        return NDIS_STATUS_INVALID_PARAMETER;
      }
      pNdisIfProviderHandle.set(ndis.interfaces.addProvider());
      return NDIS_STATUS_SUCCESS;
    },
  }),
  NdisIfDeregisterProvider: f({
    ...common,
    page: 'ndis-ndisifderegisterprovider',
    params: { NdisProviderHandle: HANDLE },
    returns: 'void',
    undoes: {
      types: ['if-provider'],
      key: ({ NdisProviderHandle }) => NdisProviderHandle,
      otherwise: () => undefined,
    },
    body(ndis, { NdisProviderHandle }) {
      ndis.interfaces.removeProvider(NdisProviderHandle);
      return undefined;
    },
  }),
  NdisIfRegisterInterface: f({
    ...common,
    page: 'ndis-ndisifregisterinterface',
    params: {
      NdisProviderHandle: HANDLE,
      NetLuid: ULONG64,
      ProviderIfContext: HANDLE,
      pIfInfo: POINTER,
      pfIndex: OUT(u32),
    },
    returns: 'status',
    acquires: {
      type: 'if-interface',
      key: ({ pfIndex }) => pfIndex.get(),
      owner: ({ NdisProviderHandle }) => NdisProviderHandle,
      detail: ({ NetLuid }) => ({ NetLuid: hex(NetLuid) }),
    },
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('invalid-parameter', NDIS_STATUS_INVALID_PARAMETER),
      failsWith('duplicate-objectid', NDIS_STATUS_DUPLICATE_OBJECTID),
    ],
    body(ndis, { NdisProviderHandle, NetLuid, pfIndex }) {
      const added = ndis.interfaces.add(NdisProviderHandle, NetLuid);
      if ('status' in added) return added.status;
      pfIndex.set(added.index);
      return NDIS_STATUS_SUCCESS;
    },
  }),
  NdisIfDeregisterInterface: f({
    ...common,
    page: 'ndis-ndisifderegisterinterface',
    params: { ifIndex: ULONG },
    returns: 'void',
    undoes: { types: ['if-interface'], key: ({ ifIndex }) => ifIndex, otherwise: () => undefined },
    body(ndis, { ifIndex }) {
      ndis.interfaces.remove(ifIndex);
      return undefined;
    },
  }),
  NdisIfAllocateNetLuidIndex: f({
    ...common,
    page: 'ndis-ndisifallocatenetluidindex',
    params: { ifType: USHORT, pNetLuidIndex: OUT(u32) },
    returns: 'status',
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('invalid-parameter', NDIS_STATUS_INVALID_PARAMETER),
    ],
    body(ndis, { ifType, pNetLuidIndex }) {
      pNetLuidIndex.set(ndis.interfaces.allocateLuidIndex(ifType));
      return NDIS_STATUS_SUCCESS;
    },
  }),
  NdisIfFreeNetLuidIndex: f({
    ...common,
    page: 'ndis-ndisiffreenetluidindex',
    params: { ifType: USHORT, NetLuidIndex: ULONG },
    returns: 'status',
    // The index stays taken for as long as the run lasts: it is never to be given out twice.
    body: (ndis, { ifType, NetLuidIndex }) =>
      ndis.interfaces.knowsLuidIndex(ifType, NetLuidIndex) ? NDIS_STATUS_SUCCESS : NDIS_STATUS_INVALID_PARAMETER,
  }),
  NdisIfGetInterfaceIndexFromNetLuid: f({
    ...common,
    page: 'ndis-ndisifgetinterfaceindexfromnetluid',
    params: { NetLuid: ULONG64, pIfIndex: OUT(u32) },
    returns: 'status',
    body(ndis, { NetLuid, pIfIndex }) {
      const index = ndis.interfaces.indexOf(NetLuid);
      if (index === undefined) return NDIS_STATUS_INTERFACE_NOT_FOUND;
      pIfIndex.set(index);
      return NDIS_STATUS_SUCCESS;
    },
  }),
  NdisIfGetNetLuidFromInterfaceIndex: f({
    ...common,
    page: 'ndis-ndisifgetnetluidfrominterfaceindex',
    params: { ifIndex: ULONG, pNetLuid: OUT(u64) },
    returns: 'status',
    body(ndis, { ifIndex, pNetLuid }) {
      const luid = ndis.interfaces.luidOf(ifIndex);
      if (luid === undefined) return NDIS_STATUS_INTERFACE_NOT_FOUND;
      pNetLuid.set(luid);
      return NDIS_STATUS_SUCCESS;
    },
  }),
};
