/* Hardware resources: interrupts, DMA and shared memory, I/O ports, mapped registers, bus configuration. */
#pragma once
#include "nbl.h"

/* Interrupts */
typedef enum _NDIS_INTERRUPT_TYPE { NDIS_CONNECT_LINE_BASED = 1, NDIS_CONNECT_MESSAGE_BASED = 2 } NDIS_INTERRUPT_TYPE;

typedef BOOLEAN MINIPORT_ISR(NDIS_HANDLE Context, PBOOLEAN QueueDefaultDpc, PULONG TargetProcessors); /* DIRQL */
typedef VOID MINIPORT_INTERRUPT_DPC(NDIS_HANDLE Context, PVOID DpcContext, PVOID ReceiveThrottle,
                                    PVOID Reserved);                                                  /* DISPATCH */
typedef VOID MINIPORT_DISABLE_INTERRUPT(NDIS_HANDLE Context);                                         /* DIRQL */
typedef VOID MINIPORT_ENABLE_INTERRUPT(NDIS_HANDLE Context);                                          /* DIRQL */
typedef BOOLEAN MINIPORT_MESSAGE_INTERRUPT(NDIS_HANDLE Context, ULONG MessageId, PBOOLEAN QueueDefaultDpc,
                                           PULONG TargetProcessors);                                  /* DIRQL */
typedef VOID MINIPORT_MESSAGE_INTERRUPT_DPC(NDIS_HANDLE Context, ULONG MessageId, PVOID DpcContext,
                                            PVOID ReceiveThrottle, PVOID Reserved);                   /* DISPATCH */
typedef VOID MINIPORT_DISABLE_MESSAGE_INTERRUPT(NDIS_HANDLE Context, ULONG MessageId);                /* DIRQL */
typedef VOID MINIPORT_ENABLE_MESSAGE_INTERRUPT(NDIS_HANDLE Context, ULONG MessageId);                 /* DIRQL */
typedef BOOLEAN MINIPORT_SYNCHRONIZE_INTERRUPT(NDIS_HANDLE Context);                                  /* DIRQL */

typedef struct _NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS {
    NDIS_OBJECT_HEADER Header;
    MINIPORT_ISR *InterruptHandler;
    MINIPORT_INTERRUPT_DPC *InterruptDpcHandler;
    MINIPORT_DISABLE_INTERRUPT *DisableInterruptHandler;
    MINIPORT_ENABLE_INTERRUPT *EnableInterruptHandler;
    BOOLEAN MsiSupported;
    BOOLEAN MsiSyncWithAllMessages;
    MINIPORT_MESSAGE_INTERRUPT *MessageInterruptHandler;
    MINIPORT_MESSAGE_INTERRUPT_DPC *MessageInterruptDpcHandler;
    MINIPORT_DISABLE_MESSAGE_INTERRUPT *DisableMessageInterruptHandler;
    MINIPORT_ENABLE_MESSAGE_INTERRUPT *EnableMessageInterruptHandler;
    NDIS_INTERRUPT_TYPE InterruptType;           /* NDIS writes it */
    PIO_INTERRUPT_MESSAGE_INFO MessageInfoTable; /* NDIS writes it */
} NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS, *PNDIS_MINIPORT_INTERRUPT_CHARACTERISTICS;
#define NDIS_MINIPORT_INTERRUPT_REVISION_1 1
#define NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1                                                      \
    RTL_SIZEOF_THROUGH_FIELD(NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS, MessageInfoTable)

NDIS_STATUS NdisMRegisterInterruptEx(NDIS_HANDLE Adapter, NDIS_HANDLE Context,
                                     PNDIS_MINIPORT_INTERRUPT_CHARACTERISTICS Characteristics, PNDIS_HANDLE Handle);
VOID NdisMDeregisterInterruptEx(NDIS_HANDLE Interrupt);
BOOLEAN NdisMSynchronizeWithInterruptEx(NDIS_HANDLE Interrupt, ULONG MessageId,
                                        MINIPORT_SYNCHRONIZE_INTERRUPT *Function, PVOID Context);
ULONG NdisMQueueDpc(NDIS_HANDLE Interrupt, ULONG MessageId, ULONG TargetProcessors, PVOID DpcContext);
KAFFINITY NdisMQueueDpcEx(NDIS_HANDLE Interrupt, ULONG MessageId, PGROUP_AFFINITY TargetProcessors, PVOID DpcContext);

typedef enum _NDIS_MSIX_TABLE_CONFIG {
    NdisMSIXTableConfigSetTableEntry, NdisMSIXTableConfigMaskTableEntry, NdisMSIXTableConfigUnmaskTableEntry
} NDIS_MSIX_TABLE_OPERATION;

typedef struct _NDIS_MSIX_CONFIG_PARAMETERS {
    NDIS_OBJECT_HEADER Header;
    NDIS_MSIX_TABLE_OPERATION ConfigOperation;
    ULONG TableEntry;
    ULONG MessageNumber;
} NDIS_MSIX_CONFIG_PARAMETERS, *PNDIS_MSIX_CONFIG_PARAMETERS;
#define NDIS_MSIX_CONFIG_PARAMETERS_REVISION_1 1
#define NDIS_SIZEOF_MSIX_CONFIG_PARAMETERS_REVISION_1                                                                  \
    RTL_SIZEOF_THROUGH_FIELD(NDIS_MSIX_CONFIG_PARAMETERS, MessageNumber)
NDIS_STATUS NdisMConfigMSIXTableEntry(NDIS_HANDLE Adapter, PNDIS_MSIX_CONFIG_PARAMETERS Parameters);

/* Bus-master DMA */
typedef VOID MINIPORT_PROCESS_SG_LIST(PDEVICE_OBJECT Device, PVOID Reserved, PSCATTER_GATHER_LIST List,
                                      PVOID Context);                                         /* DISPATCH */
typedef VOID MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE(NDIS_HANDLE AdapterContext, PVOID Address,
                                                   PNDIS_PHYSICAL_ADDRESS PhysicalAddress, ULONG Length,
                                                   PVOID Context);                            /* PASSIVE */

typedef struct _NDIS_SG_DMA_DESCRIPTION {
    NDIS_OBJECT_HEADER Header;
    ULONG Flags;
    ULONG MaximumPhysicalMapping;
    MINIPORT_PROCESS_SG_LIST *ProcessSGListHandler;
    MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE *SharedMemAllocateCompleteHandler;
    ULONG ScatterGatherListSize; /* NDIS writes it */
} NDIS_SG_DMA_DESCRIPTION, *PNDIS_SG_DMA_DESCRIPTION;
#define NDIS_SG_DMA_DESCRIPTION_REVISION_1 1
#define NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1                                                                      \
    RTL_SIZEOF_THROUGH_FIELD(NDIS_SG_DMA_DESCRIPTION, ScatterGatherListSize)
#define NDIS_SG_DMA_64_BIT_ADDRESS 0x00000001
#define NDIS_SG_LIST_WRITE_TO_DEVICE 0x00000001

NDIS_STATUS NdisMRegisterScatterGatherDma(NDIS_HANDLE Adapter, PNDIS_SG_DMA_DESCRIPTION Description,
                                          PNDIS_HANDLE Dma);
VOID NdisMDeregisterScatterGatherDma(NDIS_HANDLE Dma);
NDIS_STATUS NdisMAllocateNetBufferSGList(NDIS_HANDLE Dma, PNET_BUFFER NetBuffer, PVOID Context, ULONG Flags,
                                         PVOID Storage, ULONG StorageSize);
VOID NdisMFreeNetBufferSGList(NDIS_HANDLE Dma, PSCATTER_GATHER_LIST List, PNET_BUFFER NetBuffer);
ULONG NdisMGetDmaAlignment(NDIS_HANDLE Adapter);

VOID NdisMAllocateSharedMemory(NDIS_HANDLE Adapter, ULONG Length, BOOLEAN Cached, PVOID *Address,
                               PNDIS_PHYSICAL_ADDRESS PhysicalAddress);
NDIS_STATUS NdisMAllocateSharedMemoryAsyncEx(NDIS_HANDLE Dma, ULONG Length, BOOLEAN Cached, PVOID Context);
VOID NdisMFreeSharedMemory(NDIS_HANDLE Adapter, ULONG Length, BOOLEAN Cached, PVOID Address,
                           NDIS_PHYSICAL_ADDRESS PhysicalAddress);

typedef enum _NDIS_SHARED_MEMORY_USAGE {
    NdisSharedMemoryUsageUndefined, NdisSharedMemoryUsageXmit, NdisSharedMemoryUsageXmitHeader,
    NdisSharedMemoryUsageXmitData, NdisSharedMemoryUsageReceive, NdisSharedMemoryUsageReceiveLookahead,
    NdisSharedMemoryUsageReceivePostLookahead, NdisSharedMemoryUsageReceiveHeader, NdisSharedMemoryUsageReceiveData,
    NdisSharedMemoryUsageOther
} NDIS_SHARED_MEMORY_USAGE;

typedef struct _NDIS_SHARED_MEMORY_PARAMETERS {
    NDIS_OBJECT_HEADER Header;
    ULONG Flags;
    ULONG QueueId;
    NDIS_HANDLE SharedMemoryHandle;
    ULONG PreferredNode;
    NDIS_SHARED_MEMORY_USAGE Usage;
    ULONG Length;
    PVOID VirtualAddress;
    ULONG SGListBufferLength;
    PSCATTER_GATHER_LIST SGListBuffer;
    ULONG VPortId; /* revision 2 */
} NDIS_SHARED_MEMORY_PARAMETERS, *PNDIS_SHARED_MEMORY_PARAMETERS;
#define NDIS_SHARED_MEMORY_PARAMETERS_REVISION_1 1
#define NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_1                                                                \
    RTL_SIZEOF_THROUGH_FIELD(NDIS_SHARED_MEMORY_PARAMETERS, SGListBuffer)
#define NDIS_SHARED_MEM_PARAMETERS_CONTIGUOUS 0x00000001
NDIS_STATUS NdisAllocateSharedMemory(NDIS_HANDLE Handle, PNDIS_SHARED_MEMORY_PARAMETERS Parameters,
                                     PNDIS_HANDLE Allocation);
VOID NdisFreeSharedMemory(NDIS_HANDLE Handle, NDIS_HANDLE Allocation);

/* Subordinate (ISA) DMA */
typedef struct _NDIS_DMA_DESCRIPTION {
    BOOLEAN DemandMode;
    BOOLEAN AutoInitialize;
    BOOLEAN DmaChannelSpecified;
    DMA_WIDTH DmaWidth;
    DMA_SPEED DmaSpeed;
    ULONG DmaPort;
    ULONG DmaChannel;
} NDIS_DMA_DESCRIPTION, *PNDIS_DMA_DESCRIPTION;
NDIS_STATUS NdisMRegisterDmaChannel(PNDIS_HANDLE Dma, NDIS_HANDLE Adapter, UINT Channel, BOOLEAN Dma32BitAddresses,
                                    PNDIS_DMA_DESCRIPTION Description, ULONG MaximumLength);
VOID NdisMDeregisterDmaChannel(NDIS_HANDLE Dma);

/* I/O ports and mapped registers */
NDIS_STATUS NdisMRegisterIoPortRange(PVOID *PortOffset, NDIS_HANDLE Adapter, UINT InitialPort, UINT NumberOfPorts);
VOID NdisMDeregisterIoPortRange(NDIS_HANDLE Adapter, UINT InitialPort, UINT NumberOfPorts, PVOID PortOffset);
NDIS_STATUS NdisMMapIoSpace(PVOID *Address, NDIS_HANDLE Adapter, NDIS_PHYSICAL_ADDRESS PhysicalAddress, UINT Length);
VOID NdisMUnmapIoSpace(NDIS_HANDLE Adapter, PVOID Address, UINT Length);

#define NdisRawReadPortUchar(port, data) (*(data) = READ_PORT_UCHAR((PUCHAR)(port)))
#define NdisRawReadPortUshort(port, data) (*(data) = READ_PORT_USHORT((PUSHORT)(port)))
#define NdisRawReadPortUlong(port, data) (*(data) = READ_PORT_ULONG((PULONG)(port)))
#define NdisRawWritePortUchar(port, data) WRITE_PORT_UCHAR((PUCHAR)(port), (UCHAR)(data))
#define NdisRawWritePortUshort(port, data) WRITE_PORT_USHORT((PUSHORT)(port), (USHORT)(data))
#define NdisRawWritePortUlong(port, data) WRITE_PORT_ULONG((PULONG)(port), (ULONG)(data))
#define NdisReadRegisterUchar(register, data) (*(data) = READ_REGISTER_UCHAR((volatile UCHAR *)(register)))
#define NdisReadRegisterUshort(register, data) (*(data) = READ_REGISTER_USHORT((volatile USHORT *)(register)))
#define NdisReadRegisterUlong(register, data) (*(data) = READ_REGISTER_ULONG((volatile ULONG *)(register)))
#define NdisWriteRegisterUchar(register, data) WRITE_REGISTER_UCHAR((volatile UCHAR *)(register), (data))
#define NdisWriteRegisterUshort(register, data) WRITE_REGISTER_USHORT((volatile USHORT *)(register), (data))
#define NdisWriteRegisterUlong(register, data) WRITE_REGISTER_ULONG((volatile ULONG *)(register), (data))

/* The bus and the device stack */
#define PCI_WHICHSPACE_CONFIG 0
ULONG NdisMGetBusData(NDIS_HANDLE Adapter, ULONG Space, ULONG Offset, PVOID Buffer, ULONG Length);
ULONG NdisMSetBusData(NDIS_HANDLE Adapter, ULONG Space, ULONG Offset, PVOID Buffer, ULONG Length);
VOID NdisMGetDeviceProperty(NDIS_HANDLE Adapter, PDEVICE_OBJECT *PhysicalDevice, PDEVICE_OBJECT *FunctionalDevice,
                            PDEVICE_OBJECT *NextDevice, PCM_RESOURCE_LIST *Resources,
                            PCM_RESOURCE_LIST *TranslatedResources);
NDIS_STATUS NdisMEnableVirtualization(NDIS_HANDLE Adapter, USHORT NumVFs, BOOLEAN EnableVFMigration,
                                      BOOLEAN EnableMigrationInterrupt, BOOLEAN EnableVirtualization);
