/** Structures and prototypes of bus-master DMA. Member order: ndis.h and wdm.h of the 10.0.16299 kit for x64. */
import { code, pointer, struct, u32 } from '../kernel/layout.ts';
import { callback, HANDLE, P, POINTER, ULONG } from '../kernel/record.ts';
import { DISPATCH_LEVEL } from '../trace/units.ts';
import { NDIS_OBJECT_HEADER } from './object-header.ts';

export const NDIS_SG_DMA_DESCRIPTION = struct('NDIS_SG_DMA_DESCRIPTION', {
  Header: NDIS_OBJECT_HEADER,
  Flags: u32,
  MaximumPhysicalMapping: u32,
  ProcessSGListHandler: code,
  SharedMemAllocateCompleteHandler: code,
  ScatterGatherListSize: u32,
});
/** NDIS_SG_LIST_WRITE_TO_DEVICE. */
export const WRITE_TO_DEVICE = 0x1;

export const NDIS_SHARED_MEMORY_PARAMETERS = struct('NDIS_SHARED_MEMORY_PARAMETERS', {
  Header: NDIS_OBJECT_HEADER,
  Flags: u32,
  QueueId: u32,
  SharedMemoryHandle: pointer,
  PreferredNode: u32,
  Usage: u32,
  Length: u32,
  VirtualAddress: pointer,
  SGListBufferLength: u32,
  SGListBuffer: pointer,
  // revision 2 (NDIS 6.30)
  VPortId: u32,
});

export const MiniportProcessSGList = callback({
  name: 'MiniportProcessSGList',
  page: 'nc-ndis-miniport_process_sg_list',
  params: { pDO: POINTER, Reserved: POINTER, pSGL: POINTER, Context: POINTER },
  returns: 'void',
  irql: { min: DISPATCH_LEVEL, max: DISPATCH_LEVEL },
});
export const MiniportSharedMemoryAllocateComplete = callback({
  name: 'MiniportSharedMemoryAllocateComplete',
  page: 'nc-ndis-miniport_allocate_shared_mem_complete',
  params: {
    MiniportAdapterContext: HANDLE,
    VirtualAddress: POINTER,
    PhysicalAddress: POINTER,
    Length: ULONG,
    Context: POINTER,
  },
  returns: 'void',
  irql: P,
});
