/**
 * The part of the library's face that needs no host: what a miniport in TypeScript and a model of a NIC are written with. It is
 * what `haltex` means to a module dropped on the web app.
 */

// --- results and rules ---
export { judge } from './contract/judge.ts';
export type { Finding, FoundResource, Severity, Violation } from './contract/rule.ts';
export { catalogue } from './contract/rules.ts';
// --- hardware ---
export {
  type Bar,
  type Device,
  type DeviceDefinition,
  defineDevice,
  memoryBar,
  portBar,
  type Timer,
} from './devices/define-device.ts';
export { type NicOptions, sampleNic } from './devices/nic.ts';
export { plug } from './devices/pci-bus.ts';
export { bundledDevices, type DeviceFactory } from './devices/registry.ts';
export type { Outcome } from './explore/outcome.ts';
export type { Balance, CheckResult, Coverage, KeptTrace, MergedFinding, Verdict } from './explore/result.ts';
export { decodeToken, encodeToken, TokenError } from './explore/token.ts';
export { readInf } from './image/inf.ts';
export { PdbError } from './image/pdb/errors.ts';
export { type CodePlace, type Pdb, readPdb, requireMatch, type SourcePlace } from './image/pdb/pdb.ts';
export { readImage } from './image/read.ts';
// --- C structures ---
export {
  array,
  bool8,
  bytes,
  type CType,
  code,
  type Fields,
  type Init,
  i32,
  pointer,
  type Struct,
  struct,
  u8,
  u16,
  u32,
  u64,
  union,
  type View,
} from './kernel/layout.ts';
export { SCATTER_GATHER_ELEMENT, SCATTER_GATHER_LIST } from './kernel/scatter-gather-lists.ts';
/** What routines are: generators that haltex may suspend wherever they call. */
export type { Coroutine } from './kernel/scheduler.ts';
// --- NDIS structures, numbers and statuses, by their Windows names ---
export { UNICODE_STRING } from './kernel/strings.ts';
export { GROUP_AFFINITY, LARGE_INTEGER, LIST_ENTRY, PROCESSOR_NUMBER } from './kernel/structures.ts';
export type { DriverFile } from './machine/driver-file.ts';
export type { MachineConfig, Run } from './machine/machine.ts';
// --- miniports ---
export {
  type Conveniences,
  defineMiniport,
  type Miniport,
  type UnicodeString,
  type Wdk,
} from './machine/miniport.ts';
export { type Disturbance, type Fault, type Flow, plainScenario, type Scenario } from './machine/scenario.ts';
export { NDIS_CONFIGURATION_OBJECT, NDIS_CONFIGURATION_PARAMETER } from './ndis/configuration.ts';
export * from './ndis/constants.ts';
export {
  NDIS_SG_DMA_DESCRIPTION,
  NDIS_SHARED_MEMORY_PARAMETERS,
} from './ndis/dma-structures.ts';
export {
  NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES,
  NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
  NDIS_MINIPORT_INIT_PARAMETERS,
  NDIS_MINIPORT_PAUSE_PARAMETERS,
  NDIS_MINIPORT_PNP_CHARACTERISTICS,
  NDIS_MINIPORT_RESTART_PARAMETERS,
  NDIS_MINIPORT_SS_CHARACTERISTICS,
  NDIS_OID_REQUEST,
  NDIS_RESTART_ATTRIBUTES,
  NDIS_RESTART_GENERAL_ATTRIBUTES,
  NET_DEVICE_PNP_EVENT,
} from './ndis/driver-structures.ts';
export { NDIS_EVENT } from './ndis/events.ts';
export { header } from './ndis/headers.ts';
export {
  IO_INTERRUPT_MESSAGE_INFO,
  IO_INTERRUPT_MESSAGE_INFO_ENTRY,
  NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS,
  NDIS_RECEIVE_THROTTLE_PARAMETERS,
} from './ndis/interrupt-structures.ts';
export {
  NblInfo,
  NET_BUFFER,
  NET_BUFFER_LIST,
  NET_BUFFER_LIST_CONTEXT,
  NET_BUFFER_LIST_POOL_PARAMETERS,
  NET_BUFFER_POOL_PARAMETERS,
  type NetBuffer,
  type NetBufferList,
} from './ndis/net-buffer-structures.ts';
export { NDIS_OBJECT_HEADER } from './ndis/object-header.ts';
export { NDIS_PORT, NDIS_PORT_CHARACTERISTICS, NET_PNP_EVENT_NOTIFICATION } from './ndis/ports.ts';
export {
  CM_PARTIAL_RESOURCE_DESCRIPTOR,
  CM_PARTIAL_RESOURCE_LIST,
  descriptorsOf,
} from './ndis/resource-structures.ts';
export type { Handler, RoutineName } from './ndis/routines.ts';
export { NDIS_SPIN_LOCK } from './ndis/spin-locks.ts';
export * from './ndis/status.ts';
export { NDIS_LINK_STATE, NDIS_STATUS_INDICATION, NDIS_STATUS_LINK_STATE } from './ndis/status-indications.ts';
export { NDIS_TIMER_CHARACTERISTICS } from './ndis/timers.ts';
export type { Frame, Stack, TraceEvent } from './trace/events.ts';
// --- addresses, handles, levels ---
export {
  type Address,
  APC_LEVEL,
  at,
  DISPATCH_LEVEL,
  type Handle,
  HIGH_LEVEL,
  hex,
  type Irql,
  MICROSECOND,
  MILLISECOND,
  NULL,
  PASSIVE_LEVEL,
  SECOND,
  type VirtualTime,
} from './trace/units.ts';
export type { GuestMemory } from './x64/memory.ts';
