/**
 * SR-IOV, as far as it is the physical function's to switch on and off: what is enabled is owed. Virtual functions themselves
 * are not modelled. Pages: ndis-ndismenablevirtualization, ndis-ndismgetvirtualfunctionbusdata,
 * ndis-ndismsetvirtualfunctionbusdata, ndis-ndismgetvirtualfunctionlocation. Registers: the PCI SR-IOV extended capability.
 */
import { u8, u16 } from '../kernel/layout.ts';
import type { PciDevice } from '../kernel/pci.ts';
import { A, BOOLEAN, D, functionsOf, HANDLE, OUT, P, POINTER, ULONG, ULONG64, USHORT } from '../kernel/record.ts';
import { Unsupported } from '../kernel/stops.ts';
import { type Handle, hex } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { emitFact } from './facts.ts';
import { checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

const FIRST_EXTENDED_CAPABILITY = 0x100;
const SRIOV = 0x10;
/** Offsets inside the capability, and VF Enable in its control register. */
const CONTROL = 0x08;
const NUM_VFS = 0x10;
const VF_ENABLE = 1;

/** Where the device has its SR-IOV capability, if it has one. */
function capability(device: PciDevice | undefined): number | undefined {
  for (let offset = FIRST_EXTENDED_CAPABILITY; device !== undefined && offset >= FIRST_EXTENDED_CAPABILITY; ) {
    const header = device.readConfig(offset, 4) >>> 0;
    if (header === 0 || header === 0xffff_ffff) return undefined;
    if ((header & 0xffff) === SRIOV) return offset;
    const next = header >>> 20;
    if (next <= offset) return undefined;
    offset = next;
  }
  return undefined;
}

function enable(ndis: Ndis, adapter: Adapter, count: number, on: boolean, fn: string): number {
  const { device, handle } = adapter;
  const offset = capability(device);
  if (device === undefined || offset === undefined) return NDIS_STATUS_NOT_SUPPORTED;
  if (on === (count === 0)) return NDIS_STATUS_INVALID_PARAMETER;
  device.writeConfig(offset + NUM_VFS, 2, count);
  const control = device.readConfig(offset + CONTROL, 2);
  device.writeConfig(offset + CONTROL, 2, on ? control | VF_ENABLE : control & ~VF_ENABLE);
  const { resources } = ndis.kernel;
  const stack = ndis.kernel.stack();
  const found = resources.find(['virtualization'], handle);
  if (!on) resources.undo(['virtualization'], handle, { fn, outcome: found.outcome, found, stack });
  else if (found.outcome !== 'undone') {
    resources.acquire('virtualization', handle, { fn, owner: handle, detail: { NumVFs: count }, stack });
  }
  return NDIS_STATUS_SUCCESS;
}

/** Calls that name a virtual function: there is none unless virtualization is on, and then we lack it. */
function virtualFunction({ kernel }: Ndis, adapter: Handle, fn: string): void {
  if (kernel.resources.live(['virtualization'], adapter) !== undefined) {
    throw new Unsupported(fn, 'virtual functions of an SR-IOV adapter', kernel.stack());
  }
  emitFact(kernel, 'virtualization-not-enabled', { fn, adapter: hex(adapter) });
}

const f = functionsOf<Ndis>();
const busData = { NdisMiniportHandle: HANDLE, VFId: USHORT, Buffer: POINTER, Offset: ULONG, Length: ULONG };

/** A virtual function's channel to its physical one. No device here is a virtual function, so there is nobody at the other end. */
const configBlock = (page: string) =>
  f({
    module: 'NDIS.SYS',
    page,
    params: { NdisMiniportHandle: HANDLE, BlockId: ULONG, Buffer: POINTER, Length: ULONG },
    returns: 'status',
    irql: A,
    body(ndis, { NdisMiniportHandle }, { fn }) {
      checkHandle(ndis, NdisMiniportHandle, fn, ['adapter']);
      return NDIS_STATUS_FAILURE;
    },
  });

export const virtualizationFunctions = {
  NdisMReadConfigBlock: configBlock('ndis-ndismreadconfigblock'),
  NdisMWriteConfigBlock: configBlock('ndis-ndismwriteconfigblock'),
  NdisMInvalidateConfigBlock: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisminvalidateconfigblock',
    params: { NdisMiniportHandle: HANDLE, VFId: USHORT, BlockMask: ULONG64 },
    returns: 'void',
    irql: D,
    body(ndis, { NdisMiniportHandle }, { fn }) {
      virtualFunction(ndis, NdisMiniportHandle, fn);
      return undefined;
    },
  }),
  NdisMEnableVirtualization: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismenablevirtualization',
    params: {
      NdisMiniportHandle: HANDLE,
      NumVFs: USHORT,
      EnableVFMigration: BOOLEAN,
      EnableMigrationInterrupt: BOOLEAN,
      EnableVirtualization: BOOLEAN,
    },
    returns: 'status',
    irql: P,
    // One call switches on and off; `enable` enters both.
    acquires: { type: 'virtualization', key: ({ NdisMiniportHandle }) => NdisMiniportHandle, when: () => false },
    // Switching off is an undo: there is nothing a driver that must halt could do about its failure.
    failures: (
      [
        ['failure', NDIS_STATUS_FAILURE],
        ['not-supported', NDIS_STATUS_NOT_SUPPORTED],
        ['invalid-parameter', NDIS_STATUS_INVALID_PARAMETER],
      ] as const
    ).map(([id, status]) => ({ id, when: ({ EnableVirtualization }) => EnableVirtualization, fail: () => status })),
    body(ndis, { NdisMiniportHandle, NumVFs, EnableVirtualization }, { fn }) {
      checkHandle(ndis, NdisMiniportHandle, fn, ['adapter']);
      const adapter = ndis.adapterOf(NdisMiniportHandle);
      return adapter === undefined ? NDIS_STATUS_FAILURE : enable(ndis, adapter, NumVFs, EnableVirtualization, fn);
    },
  }),
  NdisMGetVirtualFunctionBusData: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismgetvirtualfunctionbusdata',
    params: busData,
    returns: 'u32',
    irql: D,
    body(ndis, { NdisMiniportHandle }, { fn }) {
      virtualFunction(ndis, NdisMiniportHandle, fn);
      return 0;
    },
  }),
  NdisMSetVirtualFunctionBusData: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismsetvirtualfunctionbusdata',
    params: busData,
    returns: 'u32',
    irql: D,
    body(ndis, { NdisMiniportHandle }, { fn }) {
      virtualFunction(ndis, NdisMiniportHandle, fn);
      return 0;
    },
  }),
  NdisMGetVirtualFunctionLocation: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismgetvirtualfunctionlocation',
    params: {
      NdisMiniportHandle: HANDLE,
      VFId: USHORT,
      SegmentNumber: OUT(u16),
      BusNumber: OUT(u8),
      FunctionNumber: OUT(u8),
    },
    returns: 'void',
    irql: P,
    body(ndis, { NdisMiniportHandle }, { fn }) {
      virtualFunction(ndis, NdisMiniportHandle, fn);
      return undefined;
    },
  }),
};
