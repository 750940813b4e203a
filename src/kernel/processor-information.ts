/**
 * Processors as drivers count and name them: one group, one NUMA node, every processor active and a core of its own (assumed:
 * a small machine). Pages: wdm-kequeryactiveprocessorcountex, wdm-kegetprocessornumberfromindex, …
 */
import { type Address, at, NULL } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { u16 } from './layout.ts';
import { ANY, EXACTLY_D, functionsOf, IN, OUT, POINTER, ULONG, ULONG64, USHORT } from './record.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';
import { GROUP_AFFINITY, PROCESSOR_NUMBER } from './structures.ts';

const ALL_PROCESSOR_GROUPS = 0xffff;
const INVALID_PROCESSOR_INDEX = 0xffff_ffff;

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: ANY } as const;

const count = ({ scheduler }: Kernel) => scheduler.processors.length;
const everyone = (kernel: Kernel) => (1n << BigInt(count(kernel))) - 1n;

const counting = (page: string) => f({ ...common, page, params: {}, returns: 'u32', body: count });
const countingGroup = (page: string) =>
  f({
    ...common,
    page,
    params: { GroupNumber: USHORT },
    returns: 'u32',
    body: (kernel, { GroupNumber }) => (GroupNumber === 0 || GroupNumber === ALL_PROCESSOR_GROUPS ? count(kernel) : 0),
  });
const constant = (page: string, value: number) => f({ ...common, page, params: {}, returns: 'u16', body: () => value });

const Relation = { core: 0, numaNode: 1, package: 3, group: 4, all: 0xffff } as const;

/** One SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX each, as bytes. */
function relationships(kernel: Kernel, asked: number): Uint8Array[] {
  const record = (relation: number, size: number, fill: (view: DataView) => void) => {
    const view = new DataView(new ArrayBuffer(size));
    view.setUint32(0, relation, true);
    view.setUint32(4, size, true);
    fill(view);
    return new Uint8Array(view.buffer);
  };
  /** PROCESSOR_RELATIONSHIP: GroupCount at 0x1e, its GROUP_AFFINITY at 0x20. */
  const processors = (relation: number, mask: bigint) =>
    record(relation, 0x30, (view) => {
      view.setUint16(0x1e, 1, true);
      view.setBigUint64(0x20, mask, true);
    });
  const wanted = (relation: number) => asked === relation || asked === Relation.all;
  const found: Uint8Array[] = [];
  if (wanted(Relation.core)) {
    for (let i = 0; i < count(kernel); i++) found.push(processors(Relation.core, 1n << BigInt(i)));
  }
  if (wanted(Relation.package)) found.push(processors(Relation.package, everyone(kernel)));
  if (wanted(Relation.numaNode)) {
    found.push(record(Relation.numaNode, 0x30, (view) => view.setBigUint64(0x20, everyone(kernel), true)));
  }
  if (wanted(Relation.group)) {
    found.push(
      record(Relation.group, 0x50, (view) => {
        view.setUint16(8, 1, true);
        view.setUint16(10, 1, true);
        view.setUint8(0x20, count(kernel));
        view.setUint8(0x21, count(kernel));
        view.setBigUint64(0x48, everyone(kernel), true);
      }),
    );
  }
  return found;
}

export const processorFunctions = {
  KeQueryActiveProcessorCount: f({
    ...common,
    page: 'wdm-kequeryactiveprocessorcount',
    params: { ActiveProcessors: POINTER },
    returns: 'u32',
    body(kernel, { ActiveProcessors }) {
      if (ActiveProcessors !== NULL) kernel.memory.writeU64(ActiveProcessors, everyone(kernel));
      return count(kernel);
    },
  }),
  KeQueryActiveProcessorCountEx: countingGroup('wdm-kequeryactiveprocessorcountex'),
  KeQueryMaximumProcessorCount: counting('wdm-kequerymaximumprocessorcount'),
  KeQueryMaximumProcessorCountEx: countingGroup('wdm-kequerymaximumprocessorcountex'),
  KeQueryActiveGroupCount: constant('wdm-kequeryactivegroupcount', 1),
  KeQueryMaximumGroupCount: constant('wdm-kequerymaximumgroupcount', 1),
  KeQueryHighestNodeNumber: constant('wdm-kequeryhighestnodenumber', 0),
  KeGetCurrentNodeNumber: constant('wdm-kegetcurrentnodenumber', 0),
  KeQueryActiveProcessors: f({
    ...common,
    page: 'wdm-kequeryactiveprocessors',
    params: {},
    returns: 'u64',
    body: everyone,
  }),
  KeQueryGroupAffinity: f({
    ...common,
    page: 'wdm-kequerygroupaffinity',
    params: { GroupNumber: USHORT },
    returns: 'u64',
    body: (kernel, { GroupNumber }) => (GroupNumber === 0 ? everyone(kernel) : 0n),
  }),
  KeQueryNodeActiveAffinity: f({
    ...common,
    page: 'wdm-kequerynodeactiveaffinity',
    params: { NodeNumber: USHORT, Affinity: POINTER, Count: POINTER },
    returns: 'void',
    body(kernel, { NodeNumber, Affinity, Count }) {
      const here = NodeNumber === 0;
      if (Affinity !== NULL) {
        kernel.memory.fill(Affinity, GROUP_AFFINITY.size, 0);
        kernel.memory.writeU64(Affinity, here ? everyone(kernel) : 0n);
      }
      if (Count !== NULL) u16.write(kernel.memory, Count, here ? count(kernel) : 0);
      return undefined;
    },
  }),
  KeGetCurrentProcessorNumber: f({
    ...common,
    page: 'ntddk-kegetcurrentprocessornumber',
    params: {},
    returns: 'u32',
    body: ({ scheduler }) => scheduler.processor.number,
  }),
  KeGetCurrentProcessorNumberEx: f({
    ...common,
    page: 'wdm-kegetcurrentprocessornumberex',
    params: { ProcNumber: POINTER },
    returns: 'u32',
    body({ memory, scheduler }, { ProcNumber }) {
      const { number } = scheduler.processor;
      if (ProcNumber !== NULL) PROCESSOR_NUMBER.write(memory, ProcNumber, { Group: 0, Number: number, Reserved: 0 });
      return number;
    },
  }),
  KeGetProcessorNumberFromIndex: f({
    ...common,
    page: 'wdm-kegetprocessornumberfromindex',
    params: { ProcIndex: ULONG, ProcNumber: OUT(PROCESSOR_NUMBER) },
    returns: 'status',
    body(kernel, { ProcIndex, ProcNumber }) {
      if (ProcIndex >= count(kernel)) return Status.INVALID_PARAMETER;
      PROCESSOR_NUMBER.write(kernel.memory, ProcNumber.address, { Group: 0, Number: ProcIndex, Reserved: 0 });
      return Status.SUCCESS;
    },
  }),
  KeGetProcessorIndexFromNumber: f({
    ...common,
    page: 'wdm-kegetprocessorindexfromnumber',
    params: { ProcNumber: IN(PROCESSOR_NUMBER) },
    returns: 'u32',
    body: (kernel, { ProcNumber: { Group, Number: number } }) =>
      Group === 0 && number < count(kernel) ? number : INVALID_PROCESSOR_INDEX,
  }),
  KeQueryLogicalProcessorRelationship: f({
    ...common,
    page: 'wdm-kequerylogicalprocessorrelationship',
    params: { ProcessorNumber: POINTER, RelationshipType: ULONG, Information: POINTER, Length: POINTER },
    returns: 'status',
    body(kernel, { RelationshipType, Information, Length }) {
      const known = Object.values(Relation) as number[];
      if (!known.includes(RelationshipType)) {
        throw new Unsupported(
          'KeQueryLogicalProcessorRelationship',
          `relationship ${RelationshipType}`,
          kernel.stack(),
        );
      }
      const records = relationships(kernel, RelationshipType);
      const size = records.reduce((sum, { length }) => sum + length, 0);
      const room = kernel.memory.readU32(Length);
      kernel.memory.writeU32(Length, size);
      if (room < size) return Status.INFO_LENGTH_MISMATCH;
      let to: Address = Information;
      for (const record of records) {
        kernel.memory.write(to, record);
        to = at(to, record.length);
      }
      return Status.SUCCESS;
    },
  }),
  KeQueryDpcWatchdogInformation: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kequerydpcwatchdoginformation',
    irql: EXACTLY_D,
    params: { WatchdogInformation: POINTER },
    returns: 'status',
    body({ memory }, { WatchdogInformation }) {
      for (const [i, value] of WATCHDOG.entries()) memory.writeU32(at(WatchdogInformation, 4 * i), value);
      return Status.SUCCESS;
    },
  }),
  /** Every context keeps registers of its own here, so there is nothing to save; no state beyond SSE is enabled. */
  KeSaveExtendedProcessorState: f({
    ...common,
    page: 'wdm-kesaveextendedprocessorstate',
    params: { Mask: ULONG64, XStateSave: POINTER },
    returns: 'status',
    body({ memory }, { Mask, XStateSave }) {
      memory.writeU64(XStateSave, Mask);
      return Status.SUCCESS;
    },
  }),
  KeRestoreExtendedProcessorState: f({
    ...common,
    page: 'wdm-kerestoreextendedprocessorstate',
    params: { XStateSave: POINTER },
    returns: 'void',
    body({ memory }, { XStateSave }) {
      memory.readU64(XStateSave);
      return undefined;
    },
  }),
  RtlGetEnabledExtendedFeatures: f({
    ...common,
    page: 'ntddk-rtlgetenabledextendedfeatures',
    params: { FeatureMask: ULONG64 },
    returns: 'u64',
    body: (_, { FeatureMask }) => FeatureMask & LEGACY_FEATURES,
  }),
};

/** DpcTimeLimit, DpcTimeCount, DpcWatchdogLimit, DpcWatchdogCount in clock ticks, Reserved: 20 s and 120 s (observed defaults). */
const WATCHDOG = [1280, 1280, 7680, 7680, 0] as const;

/** XSTATE_MASK_LEGACY: x87 and SSE. */
const LEGACY_FEATURES = 3n;
