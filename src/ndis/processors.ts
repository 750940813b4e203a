/**
 * The machine's processors as NDIS shows them: one group, one package, a core each, all of them for receive-side scaling
 * (assumed: a plain small machine). Pages: ndis-ndissystemprocessorcount, ndis-ndisgroupactiveprocessorcount,
 * wdm-kegetprocessorindexfromnumber, ndis-ndisgetprocessorinformationex, ndis-ndisgetrssprocessorinformation.
 */
import { array, pointer, struct, u16, u32, u64 } from '../kernel/layout.ts';
import { ANY, D, functionsOf, HANDLE, IN, OUT, P, POINTER, ULONG, USHORT } from '../kernel/record.ts';
import { PROCESSOR_NUMBER } from '../kernel/structures.ts';
import { type Address, at, NULL } from '../trace/units.ts';
import type { Ndis } from './ndis.ts';
import { NDIS_OBJECT_HEADER, ObjectType } from './object-header.ts';
import { NDIS_STATUS_BUFFER_TOO_SHORT, NDIS_STATUS_INVALID_PARAMETER, NDIS_STATUS_SUCCESS } from './status.ts';

const ALL_PROCESSOR_GROUPS = 0xffff;
const INVALID_PROCESSOR_INDEX = 0xffff_ffff;
/** NDIS_PROCESSOR_VENDOR: what CPUID of the simulated processor says. */
const NdisProcessorVendorGenuinIntel = 1;
/** NDIS_RSS_PROFILE. */
const NdisRssProfileClosest = 1;
const MAXIMUM_PROC_PER_GROUP = 64;

const NDIS_PROCESSOR_INFO = struct('NDIS_PROCESSOR_INFO', {
  CpuNumber: u32,
  PhysicalPackageId: u32,
  CoreId: u32,
  HyperThreadID: u32,
});
export const NDIS_SYSTEM_PROCESSOR_INFO = struct('NDIS_SYSTEM_PROCESSOR_INFO', {
  Header: NDIS_OBJECT_HEADER,
  Flags: u32,
  ProcessorVendor: u32,
  NumPhysicalPackages: u32,
  NumCores: u32,
  NumCoresPerPhysicalPackage: u32,
  MaxHyperThreadingCpusPerCore: u32,
  RssBaseCpu: u32,
  RssCpuCount: u32,
  RssProcessors: pointer,
  CpuInfo: array(NDIS_PROCESSOR_INFO, MAXIMUM_PROC_PER_GROUP),
});

export const NDIS_PROCESSOR_INFO_EX = struct('NDIS_PROCESSOR_INFO_EX', {
  ProcNum: PROCESSOR_NUMBER,
  SocketId: u32,
  CoreId: u32,
  HyperThreadId: u32,
  NodeId: u16,
  NodeDistance: u16,
});
export const NDIS_SYSTEM_PROCESSOR_INFO_EX = struct('NDIS_SYSTEM_PROCESSOR_INFO_EX', {
  Header: NDIS_OBJECT_HEADER,
  Flags: u32,
  ProcessorVendor: u32,
  NumSockets: u32,
  NumCores: u32,
  NumCoresPerSocket: u32,
  MaxHyperThreadingProcsPerCore: u32,
  ProcessorInfoOffset: u32,
  NumberOfProcessors: u32,
  ProcessorInfoEntrySize: u32,
});

export const NDIS_RSS_PROCESSOR = struct('NDIS_RSS_PROCESSOR', {
  ProcNum: PROCESSOR_NUMBER,
  PreferenceIndex: u16,
  Reserved: u16,
});
export const NDIS_RSS_PROCESSOR_INFO = struct('NDIS_RSS_PROCESSOR_INFO', {
  Header: NDIS_OBJECT_HEADER,
  Flags: u32,
  RssBaseProcessor: PROCESSOR_NUMBER,
  MaxNumRssProcessors: u32,
  PreferredNumaNode: u16,
  RssProcessorArrayOffset: u32,
  RssProcessorCount: u32,
  RssProcessorEntrySize: u32,
  RssMaxProcessor: PROCESSOR_NUMBER,
  RssProfile: u32,
});

const count = ({ kernel }: Ndis) => kernel.scheduler.processors.length;
const mask = (ndis: Ndis) => (1n << BigInt(count(ndis))) - 1n;
const numbers = (ndis: Ndis) => Array.from({ length: count(ndis) }, (_, i) => i);
const ofGroup = (ndis: Ndis, group: number) => (group === 0 || group === ALL_PROCESSOR_GROUPS ? count(ndis) : 0);

/** Room for a structure with an array behind it; false, and the size that is needed, where the driver's buffer is too small. */
function hasRoom({ kernel: { memory } }: Ndis, buffer: Address, size: Address, needed: number): boolean {
  const room = buffer !== NULL && memory.readU64(size) >= BigInt(needed);
  memory.writeU64(size, BigInt(needed));
  return room;
}

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS' } as const;

export const processorFunctions = {
  NdisSystemProcessorCount: f({
    ...common,
    page: 'ndis-ndissystemprocessorcount',
    params: {},
    returns: 'u8',
    irql: P,
    body: count,
  }),
  NdisSystemActiveProcessorCount: f({
    ...common,
    page: 'ndis-ndissystemactiveprocessorcount',
    params: { ActiveProcessors: OUT(u64) },
    returns: 'u32',
    irql: ANY,
    body(ndis, { ActiveProcessors }) {
      if (ActiveProcessors.present) ActiveProcessors.set(mask(ndis));
      return count(ndis);
    },
  }),
  NdisGroupMaxProcessorCount: f({
    ...common,
    page: 'ndis-ndisgroupmaxprocessorcount',
    params: { Group: USHORT },
    returns: 'u32',
    irql: ANY,
    body: (ndis, { Group }) => ofGroup(ndis, Group),
  }),
  NdisGroupActiveProcessorCount: f({
    ...common,
    page: 'ndis-ndisgroupactiveprocessorcount',
    params: { Group: USHORT },
    returns: 'u32',
    irql: ANY,
    body: (ndis, { Group }) => ofGroup(ndis, Group),
  }),
  NdisGroupActiveProcessorMask: f({
    ...common,
    page: 'ndis-ndisgroupactiveprocessormask',
    params: { Group: USHORT },
    returns: 'u64',
    irql: ANY,
    body: (ndis, { Group }) => (Group === 0 ? mask(ndis) : 0n),
  }),
  NdisMaxGroupCount: f({
    ...common,
    page: 'ndis-ndisgroupmaxprocessorcount',
    params: {},
    returns: 'u16',
    irql: ANY,
    body: () => 1,
  }),
  NdisActiveGroupCount: f({
    ...common,
    page: 'ndis-ndisgroupactiveprocessorcount',
    params: {},
    returns: 'u16',
    irql: ANY,
    body: () => 1,
  }),
  NdisCurrentProcessorIndex: f({
    ...common,
    page: 'ndis-ndiscurrentprocessorindex',
    params: {},
    returns: 'u32',
    irql: ANY,
    body: ({ kernel }) => kernel.scheduler.processor.number,
  }),
  /** A PROCESSOR_NUMBER by value: the group in its low half, the number in the byte above. */
  NdisCurrentGroupAndProcessor: f({
    ...common,
    page: 'ndis-ndiscurrentgroupandprocessor',
    params: {},
    returns: 'u32',
    irql: ANY,
    body: ({ kernel }) => kernel.scheduler.processor.number << 16,
  }),
  NdisProcessorNumberToIndex: f({
    ...common,
    page: 'wdm-kegetprocessorindexfromnumber',
    params: { ProcNum: ULONG },
    returns: 'u32',
    irql: ANY,
    body(ndis, { ProcNum }) {
      const number = (ProcNum >>> 16) & 0xff;
      return (ProcNum & 0xffff) === 0 && number < count(ndis) ? number : INVALID_PROCESSOR_INDEX;
    },
  }),
  NdisProcessorIndexToNumber: f({
    ...common,
    page: 'wdm-kegetprocessornumberfromindex',
    params: { ProcIndex: ULONG, ProcNum: OUT(PROCESSOR_NUMBER) },
    returns: 'status',
    irql: ANY,
    body(ndis, { ProcIndex, ProcNum }) {
      if (ProcIndex >= count(ndis)) return NDIS_STATUS_INVALID_PARAMETER;
      PROCESSOR_NUMBER.write(ndis.kernel.memory, ProcNum.address, { Group: 0, Number: ProcIndex, Reserved: 0 });
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisGetProcessorInformation: f({
    ...common,
    page: 'ndis-ndisgetprocessorinformation',
    params: { SystemProcessorInfo: IN(NDIS_SYSTEM_PROCESSOR_INFO) },
    returns: 'status',
    irql: P,
    body(ndis, { SystemProcessorInfo: info }) {
      if (info.Header.Size < NDIS_SYSTEM_PROCESSOR_INFO.size) return NDIS_STATUS_BUFFER_TOO_SHORT;
      const { heap, memory } = ndis.kernel;
      const rss = heap.allocate(MAXIMUM_PROC_PER_GROUP, 'NDIS’ list of RSS processors', { fill: 0 });
      memory.write(rss, Uint8Array.from(numbers(ndis)));
      NDIS_SYSTEM_PROCESSOR_INFO.write(memory, info.address, {
        Flags: 0,
        ProcessorVendor: NdisProcessorVendorGenuinIntel,
        NumPhysicalPackages: 1,
        NumCores: count(ndis),
        NumCoresPerPhysicalPackage: count(ndis),
        MaxHyperThreadingCpusPerCore: 1,
        RssBaseCpu: 0,
        RssCpuCount: count(ndis),
        RssProcessors: rss,
        CpuInfo: numbers(ndis).map((i) => ({ CpuNumber: i, PhysicalPackageId: 0, CoreId: i, HyperThreadID: 0 })),
      });
      return NDIS_STATUS_SUCCESS;
    },
  }),
  NdisGetProcessorInformationEx: f({
    ...common,
    page: 'ndis-ndisgetprocessorinformationex',
    params: { NdisHandle: HANDLE, SystemProcessorInfo: POINTER, Size: POINTER },
    returns: 'status',
    irql: D,
    body(ndis, { SystemProcessorInfo: info, Size }) {
      const { memory } = ndis.kernel;
      const head = NDIS_SYSTEM_PROCESSOR_INFO_EX.size;
      const entry = NDIS_PROCESSOR_INFO_EX.size;
      if (!hasRoom(ndis, info, Size, head + entry * count(ndis))) return NDIS_STATUS_BUFFER_TOO_SHORT;
      NDIS_SYSTEM_PROCESSOR_INFO_EX.write(memory, info, {
        Header: { Type: ObjectType.DEFAULT, Revision: 1, Size: head },
        Flags: 0,
        ProcessorVendor: NdisProcessorVendorGenuinIntel,
        NumSockets: 1,
        NumCores: count(ndis),
        NumCoresPerSocket: count(ndis),
        MaxHyperThreadingProcsPerCore: 1,
        ProcessorInfoOffset: head,
        NumberOfProcessors: count(ndis),
        ProcessorInfoEntrySize: entry,
      });
      for (const i of numbers(ndis)) {
        NDIS_PROCESSOR_INFO_EX.write(memory, at(info, head + i * entry), {
          ProcNum: { Group: 0, Number: i, Reserved: 0 },
          SocketId: 0,
          CoreId: i,
          HyperThreadId: 0,
          NodeId: 0,
          NodeDistance: 0,
        });
      }
      return NDIS_STATUS_SUCCESS;
    },
  }),
  NdisGetRssProcessorInformation: f({
    ...common,
    page: 'ndis-ndisgetrssprocessorinformation',
    params: { NdisHandle: HANDLE, RssProcessorInfo: POINTER, Size: POINTER },
    returns: 'status',
    irql: D,
    body(ndis, { RssProcessorInfo: info, Size }) {
      const { memory } = ndis.kernel;
      const head = NDIS_RSS_PROCESSOR_INFO.size;
      const entry = NDIS_RSS_PROCESSOR.size;
      if (!hasRoom(ndis, info, Size, head + entry * count(ndis))) return NDIS_STATUS_BUFFER_TOO_SHORT;
      NDIS_RSS_PROCESSOR_INFO.write(memory, info, {
        Header: { Type: ObjectType.DEFAULT, Revision: 2, Size: head },
        Flags: 0,
        RssBaseProcessor: { Group: 0, Number: 0, Reserved: 0 },
        MaxNumRssProcessors: count(ndis),
        PreferredNumaNode: 0,
        RssProcessorArrayOffset: head,
        RssProcessorCount: count(ndis),
        RssProcessorEntrySize: entry,
        RssMaxProcessor: { Group: 0, Number: count(ndis) - 1, Reserved: 0 },
        RssProfile: NdisRssProfileClosest,
      });
      for (const i of numbers(ndis)) {
        NDIS_RSS_PROCESSOR.write(memory, at(info, head + i * entry), {
          ProcNum: { Group: 0, Number: i, Reserved: 0 },
          PreferenceIndex: i,
          Reserved: 0,
        });
      }
      return NDIS_STATUS_SUCCESS;
    },
  }),
};
