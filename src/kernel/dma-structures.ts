/** Structures and routines of HAL's DMA adapters. Layouts: wdm.h of the 10.0.16299 kit for x64. */
import { array, bool8, i32, pointer, struct, u16, u32 } from './layout.ts';
import { callback, EXACTLY_D, POINTER } from './record.ts';

/** Through DmaPort, which every version has; version 3 goes on with the address width. */
export const DEVICE_DESCRIPTION = struct('DEVICE_DESCRIPTION', {
  Version: u32,
  Master: bool8,
  ScatterGather: bool8,
  DemandMode: bool8,
  AutoInitialize: bool8,
  Dma32BitAddresses: bool8,
  IgnoreCount: bool8,
  Reserved1: bool8,
  Dma64BitAddresses: bool8,
  BusNumber: u32,
  DmaChannel: u32,
  InterfaceType: i32,
  DmaWidth: u32,
  DmaSpeed: u32,
  MaximumLength: u32,
  DmaPort: u32,
});

export const DMA_ADAPTER = struct('DMA_ADAPTER', { Version: u16, Size: u16, DmaOperations: pointer });

/** DMA_OPERATIONS behind its Size, in order. Versions 1 and 2 end with BuildMdlFromScatterGatherList. */
export const dmaOperations = [
  'PutDmaAdapter',
  'AllocateCommonBuffer',
  'FreeCommonBuffer',
  'AllocateAdapterChannel',
  'FlushAdapterBuffers',
  'FreeAdapterChannel',
  'FreeMapRegisters',
  'MapTransfer',
  'GetDmaAlignment',
  'ReadDmaCounter',
  'GetScatterGatherList',
  'PutScatterGatherList',
  'CalculateScatterGatherList',
  'BuildScatterGatherList',
  'BuildMdlFromScatterGatherList',
  'GetDmaAdapterInfo',
  'GetDmaTransferInfo',
  'InitializeDmaTransferContext',
  'AllocateCommonBufferEx',
  'AllocateAdapterChannelEx',
  'ConfigureAdapterChannel',
  'CancelAdapterChannel',
  'MapTransferEx',
  'GetScatterGatherListEx',
  'BuildScatterGatherListEx',
  'FlushAdapterBuffersEx',
  'FreeAdapterObject',
  'CancelMappedTransfer',
  'AllocateDomainCommonBuffer',
  'FlushDmaBuffer',
  'JoinDmaDomain',
  'LeaveDmaDomain',
  'GetDmaDomain',
] as const;
/** How many of them versions 1 and 2 have. */
export const OPERATIONS_OF_VERSION_2 = 15;
export const DMA_OPERATIONS = struct('DMA_OPERATIONS', { Size: u32, Routines: array(pointer, dmaOperations.length) });

export const DRIVER_LIST_CONTROL = callback({
  name: 'AdapterListControl',
  page: 'nc-wdm-driver_list_control',
  params: { DeviceObject: POINTER, Irp: POINTER, ScatterGather: POINTER, Context: POINTER },
  returns: 'void',
  irql: EXACTLY_D,
});
export const DRIVER_CONTROL = callback({
  name: 'AdapterControl',
  page: 'nc-wdm-driver_control',
  params: { DeviceObject: POINTER, Irp: POINTER, MapRegisterBase: POINTER, Context: POINTER },
  returns: 'u32',
  irql: EXACTLY_D,
});
/** IO_ALLOCATION_ACTION. */
export const AllocationAction = { KeepObject: 1, DeallocateObject: 2, DeallocateObjectKeepRegisters: 3 } as const;
