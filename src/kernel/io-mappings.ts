/**
 * Device registers in the kernel's address space. A mapping reaches the device that answers at the physical address; where no
 * device answers there is nothing to map and the call gives NULL. Mapping RAM is an error of the driver and a fact.
 * Pages: wdm-mmmapiospace, wdm-mmmapiospaceex, wdm-mmunmapiospace.
 */
import { type Address, hex } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { D, failsNull, functionsOf, POINTER, SIZE_T, ULONG } from './record.ts';

const f = functionsOf<Kernel>();

function map(kernel: Kernel, physical: number, size: number): Address {
  const { hardware, trace } = kernel;
  if (hardware.isRam(physical)) {
    const detail = { physical: hex(physical), size };
    trace.emit({ kind: 'fact', what: 'ram-mapped-as-io-space', detail, stack: kernel.stack() });
    return hardware.virtualOf(physical);
  }
  return hardware.mapRegisters(physical, size, 'device registers');
}

interface MapCall {
  readonly PhysicalAddress: number;
  readonly NumberOfBytes: number;
}
const acquires = {
  type: 'io-mapping',
  key: (_: MapCall, result: Address) => result,
  detail: ({ PhysicalAddress, NumberOfBytes }: MapCall) => ({ PhysicalAddress: hex(PhysicalAddress), NumberOfBytes }),
};

export const ioMappingFunctions = {
  MmMapIoSpace: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-mmmapiospace',
    params: { PhysicalAddress: SIZE_T, NumberOfBytes: SIZE_T, CacheType: ULONG },
    returns: 'pointer',
    irql: D,
    acquires,
    failures: [failsNull],
    body: (kernel, { PhysicalAddress, NumberOfBytes }) => map(kernel, PhysicalAddress, NumberOfBytes),
  }),
  MmMapIoSpaceEx: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-mmmapiospaceex',
    params: { PhysicalAddress: SIZE_T, NumberOfBytes: SIZE_T, Protect: ULONG },
    returns: 'pointer',
    irql: D,
    acquires,
    failures: [failsNull],
    body: (kernel, { PhysicalAddress, NumberOfBytes }) => map(kernel, PhysicalAddress, NumberOfBytes),
  }),
  MmUnmapIoSpace: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-mmunmapiospace',
    params: { BaseAddress: POINTER, NumberOfBytes: SIZE_T },
    returns: 'void',
    irql: D,
    undoes: {
      types: ['io-mapping'],
      key: ({ BaseAddress }) => BaseAddress,
      match: ({ NumberOfBytes }) => ({ NumberOfBytes }),
      otherwise: () => undefined,
    },
    body({ hardware }, { BaseAddress }) {
      hardware.unmapRegisters(BaseAddress);
      return undefined;
    },
  }),
};
