/*
 * The adapter, and what each file offers the others. One file per resource family: an Acquire and a Release.
 * "Rule" comments name rules of haltex's contract; `haltex explain <rule>` tells what stands behind one.
 */
#pragma once
#include "hardware.h"

#define NIC_TAG 'cinH'
#define NIC_VENDOR_ID 0x00484C54UL

#define NIC_RX_DESCRIPTORS 16
#define NIC_TX_DESCRIPTORS 64
#define NIC_RX_SLOTS 12    /* in the block allocated while initializing */
#define NIC_EXTRA_SLOTS 4  /* in the block that arrives later */
#define NIC_BUFFER_LENGTH 2048
#define NIC_MAX_MULTICAST 32
#define NIC_MAX_FRAME 1514
#define NIC_MTU 1500
#define NIC_HEADER_LENGTH 14
#define NIC_ADDRESS_LENGTH 6
#define NIC_MAX_FRAGMENTS 32

#define NIC_POLL_MS 2000
#define NIC_LINK_SETTLE_MS 50

#define NIC_PACKET_FILTERS                                                                                             \
    (NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_MULTICAST | NDIS_PACKET_TYPE_ALL_MULTICAST |                         \
     NDIS_PACKET_TYPE_BROADCAST | NDIS_PACKET_TYPE_PROMISCUOUS)

typedef enum _NIC_STATE { NicPaused, NicRunning, NicPausing } NIC_STATE;

/* Things under way that somebody may have to wait for. Count is guarded by the adapter's Lock. */
typedef struct _NIC_PENDING {
    LONG Count;
    NDIS_EVENT None; /* set while Count is zero */
} NIC_PENDING, *PNIC_PENDING;

/* Memory shared with the NIC, with all that giving it back needs (rule shared-memory-free-mismatch). */
typedef struct _NIC_SHARED_BLOCK {
    PVOID Address;
    NDIS_PHYSICAL_ADDRESS PhysicalAddress;
    ULONG Length;
    BOOLEAN Cached;
} NIC_SHARED_BLOCK, *PNIC_SHARED_BLOCK;

/* A receive buffer: a part of a shared block, described to NDIS by an MDL, a NET_BUFFER and a NET_BUFFER_LIST. */
typedef struct _NIC_SLOT {
    struct _NIC_SLOT *NextFree;
    PUCHAR Data;
    ULONG64 PhysicalAddress;
    PMDL Mdl;
    PNET_BUFFER NetBuffer;
    PNET_BUFFER_LIST NetBufferList;
} NIC_SLOT, *PNIC_SLOT;

typedef struct _NIC_STATISTICS {
    ULONG64 RxFrames;
    ULONG64 RxBytes;
    ULONG64 RxErrors;
    ULONG64 RxDiscards;
    ULONG64 TxFrames;
    ULONG64 TxBytes;
    ULONG64 TxErrors;
    ULONG64 TxDiscards;
} NIC_STATISTICS;

/*
 * Locks: SendLock guards the transmit ring, ReceiveLock the receive ring and the free slots, Lock all that is marked
 * (L). Lock is innermost: it may be taken with one of the other two held, never the other way round.
 */
typedef struct _NIC_ADAPTER {
    NDIS_HANDLE AdapterHandle;
    NDIS_SPIN_LOCK Lock;
    NDIS_SPIN_LOCK SendLock;
    NDIS_SPIN_LOCK ReceiveLock;

    NIC_STATE State;                /* (L) */
    BOOLEAN PausePending;           /* (L) MiniportPause returned PENDING */
    BOOLEAN InterruptsOn;           /* (L) the DPC may unmask the NIC */
    BOOLEAN TimersOn;               /* (L) timers may be set */
    BOOLEAN WorkOn;                 /* (L) work may be queued */
    BOOLEAN WorkQueued;             /* (L) queued or running */
    BOOLEAN WorkAgain;              /* (L) asked for while running */
    volatile BOOLEAN Halting;       /* shutdown must leave the hardware alone */
    volatile BOOLEAN Removed;       /* surprise removal: nobody answers on the bus */
    volatile BOOLEAN HardwareOff;   /* in D3; written synchronized with the interrupt */

    NIC_PENDING DataPath;           /* (L) receive lists out, sends not completed, indications running */
    NIC_PENDING LinkCallbacks;      /* (L) one-shot timer callbacks to come or running */
    NIC_PENDING Work;               /* (L) work item queued or running */
    NIC_PENDING SharedAllocations;  /* (L) asynchronous allocations not completed */

    /* io-space.c, io-ports.c */
    PUCHAR Registers;
    NDIS_PHYSICAL_ADDRESS RegistersAddress;
    ULONG RegistersLength;
    PVOID PortOffset;
    ULONG PortsAddress;
    ULONG PortsLength;
    BOOLEAN PortsRegistered;

    /* interrupts.c */
    NDIS_HANDLE InterruptHandle;
    NDIS_INTERRUPT_TYPE InterruptType;
    volatile LONG Causes;           /* taken from ICR by the ISR, not yet handled */

    /* timers.c, work-items.c */
    NDIS_HANDLE PollTimer;
    NDIS_HANDLE LinkTimer;
    NDIS_HANDLE WorkItem;

    /* ports.c */
    NDIS_PORT Port;
    BOOLEAN PortAllocated;
    BOOLEAN PortActive;
    BOOLEAN DefaultPortActive;

    /* pools.c, dma.c, shared-memory.c, async-memory.c, memory.c */
    NDIS_HANDLE NetBufferListPool;
    NDIS_HANDLE NetBufferPool;
    NDIS_HANDLE DmaHandle;
    NIC_SHARED_BLOCK Rings;
    NIC_SHARED_BLOCK Buffers;
    NIC_SHARED_BLOCK Extra;
    PNIC_SLOT Slots;                /* NIC_RX_SLOTS, then NIC_EXTRA_SLOTS */
    PUCHAR MulticastList;           /* (L) */
    ULONG MulticastCount;           /* (L) */

    /* receive.c */
    NIC_DESCRIPTOR *RxRing;
    PNIC_SLOT RxOwner[NIC_RX_DESCRIPTORS];
    PNIC_SLOT FreeSlots;
    ULONG RxClean;                  /* next descriptor the NIC completes */
    ULONG RxTail;                   /* next descriptor to hand over */

    /* send.c */
    NIC_DESCRIPTOR *TxRing;
    PNET_BUFFER TxOwner[NIC_TX_DESCRIPTORS]; /* at the last descriptor of each frame */
    ULONG TxClean;
    ULONG TxTail;
    PNET_BUFFER WaitingHead;        /* mapped, waiting for room in the ring */
    PNET_BUFFER WaitingTail;

    /* oids.c, link.c, configuration.c */
    UCHAR PermanentAddress[NIC_ADDRESS_LENGTH];
    UCHAR CurrentAddress[NIC_ADDRESS_LENGTH];
    ULONG PacketFilter;             /* (L) */
    ULONG Lookahead;
    BOOLEAN LinkUp;                 /* (L) */
    ULONG LinkSpeed;                /* (L) Mbps */
    BOOLEAN ReportedUp;             /* (L) what NDIS was told */
    ULONG ReportedSpeed;            /* (L) */
    BOOLEAN WantExtraBuffers;
    NIC_STATISTICS Statistics;
} NIC_ADAPTER, *PNIC_ADAPTER;

extern NDIS_HANDLE NicDriverHandle;

/* entry.c and the handlers it registers */
DRIVER_INITIALIZE DriverEntry;
MINIPORT_UNLOAD NicUnload;
MINIPORT_INITIALIZE NicInitialize;
MINIPORT_HALT NicHalt;
MINIPORT_PAUSE NicPause;
MINIPORT_RESTART NicRestart;
MINIPORT_OID_REQUEST NicOidRequest;
MINIPORT_CANCEL_OID_REQUEST NicCancelOidRequest;
MINIPORT_SEND_NET_BUFFER_LISTS NicSendNetBufferLists;
MINIPORT_RETURN_NET_BUFFER_LISTS NicReturnNetBufferLists;
MINIPORT_CANCEL_SEND NicCancelSend;
MINIPORT_DEVICE_PNP_EVENT_NOTIFY NicDevicePnPEventNotify;
MINIPORT_SHUTDOWN NicShutdown;

/* attributes.c */
NDIS_STATUS NicSetRegistrationAttributes(PNIC_ADAPTER Adapter);
NDIS_STATUS NicSetGeneralAttributes(PNIC_ADAPTER Adapter);

/* configuration.c */
NDIS_STATUS NicReadConfiguration(PNIC_ADAPTER Adapter);

/* memory.c */
PNIC_ADAPTER NicAllocateAdapter(NDIS_HANDLE AdapterHandle);
VOID NicFreeAdapter(PNIC_ADAPTER Adapter);
NDIS_STATUS NicAcquireMemory(PNIC_ADAPTER Adapter);
VOID NicReleaseMemory(PNIC_ADAPTER Adapter);

/* pools.c */
NDIS_STATUS NicAcquirePools(PNIC_ADAPTER Adapter);
VOID NicReleasePools(PNIC_ADAPTER Adapter);

/* receive-buffers.c */
NDIS_STATUS NicAcquireSlot(PNIC_ADAPTER Adapter, PNIC_SLOT Slot, PNIC_SHARED_BLOCK Block, ULONG Index);
VOID NicReleaseSlot(PNIC_SLOT Slot);
NDIS_STATUS NicAcquireReceiveBuffers(PNIC_ADAPTER Adapter);
VOID NicReleaseReceiveBuffers(PNIC_ADAPTER Adapter);

/* dma.c */
NDIS_STATUS NicAcquireDma(PNIC_ADAPTER Adapter);
VOID NicReleaseDma(PNIC_ADAPTER Adapter);

/* shared-memory.c */
NDIS_STATUS NicAcquireSharedMemory(PNIC_ADAPTER Adapter);
VOID NicReleaseSharedMemory(PNIC_ADAPTER Adapter);

/* async-memory.c */
VOID NicAcquireExtraBuffers(PNIC_ADAPTER Adapter);
VOID NicReleaseExtraBuffers(PNIC_ADAPTER Adapter);
MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE NicSharedMemoryAllocateComplete;

/* io-ports.c */
NDIS_STATUS NicAcquireIoPorts(PNIC_ADAPTER Adapter);
VOID NicReleaseIoPorts(PNIC_ADAPTER Adapter);

/* io-space.c */
NDIS_STATUS NicAcquireIoSpace(PNIC_ADAPTER Adapter);
VOID NicReleaseIoSpace(PNIC_ADAPTER Adapter);

/* timers.c */
NDIS_STATUS NicAcquireTimers(PNIC_ADAPTER Adapter);
VOID NicStartTimers(PNIC_ADAPTER Adapter);
VOID NicSettleLink(PNIC_ADAPTER Adapter);
VOID NicStopTimers(PNIC_ADAPTER Adapter);
VOID NicReleaseTimers(PNIC_ADAPTER Adapter);

/* work-items.c */
NDIS_STATUS NicAcquireWorkItem(PNIC_ADAPTER Adapter);
VOID NicStartWork(PNIC_ADAPTER Adapter);
VOID NicQueueWork(PNIC_ADAPTER Adapter);
VOID NicStopWork(PNIC_ADAPTER Adapter);
VOID NicReleaseWorkItem(PNIC_ADAPTER Adapter);

/* interrupts.c */
NDIS_STATUS NicAcquireInterrupt(PNIC_ADAPTER Adapter);
VOID NicEnableInterrupts(PNIC_ADAPTER Adapter);
VOID NicDisableInterrupts(PNIC_ADAPTER Adapter);
VOID NicSetHardwareOff(PNIC_ADAPTER Adapter, BOOLEAN Off);
VOID NicReleaseInterrupt(PNIC_ADAPTER Adapter);

/* ports.c */
NDIS_STATUS NicAcquirePorts(PNIC_ADAPTER Adapter);
VOID NicReleasePorts(PNIC_ADAPTER Adapter);

/* hardware.c */
BOOLEAN NicHardwareReady(PNIC_ADAPTER Adapter);
ULONG NicRead(PNIC_ADAPTER Adapter, ULONG Register);
VOID NicWrite(PNIC_ADAPTER Adapter, ULONG Register, ULONG Value);
NDIS_STATUS NicReadEeprom(PNIC_ADAPTER Adapter);
NDIS_STATUS NicResetHardware(PNIC_ADAPTER Adapter);
VOID NicProgramHardware(PNIC_ADAPTER Adapter);
VOID NicStartDma(PNIC_ADAPTER Adapter);
VOID NicStopDma(PNIC_ADAPTER Adapter);
VOID NicStopHardware(PNIC_ADAPTER Adapter);
VOID NicSetLeds(PNIC_ADAPTER Adapter);

/* receive.c */
VOID NicResetReceiveRing(PNIC_ADAPTER Adapter);
VOID NicAddFreeSlot(PNIC_ADAPTER Adapter, PNIC_SLOT Slot);
VOID NicPostSlots(PNIC_ADAPTER Adapter);
VOID NicHandleReceive(PNIC_ADAPTER Adapter);

/* send.c */
MINIPORT_PROCESS_SG_LIST NicProcessSGList;
VOID NicHandleTransmit(PNIC_ADAPTER Adapter);
BOOLEAN NicTransmitRingEmpty(PNIC_ADAPTER Adapter);
VOID NicAbortWaiting(PNIC_ADAPTER Adapter, NDIS_STATUS Status);
VOID NicAbortRing(PNIC_ADAPTER Adapter, NDIS_STATUS Status);

/* link.c */
VOID NicUpdateLink(PNIC_ADAPTER Adapter);
VOID NicReportLink(PNIC_ADAPTER Adapter);

/* pause.c */
VOID NicDataPathRemove(PNIC_ADAPTER Adapter, LONG Count);

/* pnp.c */
NDIS_STATUS NicSetPower(PNIC_ADAPTER Adapter, NDIS_DEVICE_POWER_STATE PowerState);

/* pending.c */
VOID NicPendingInitialize(PNIC_PENDING Pending);
VOID NicPendingAdd(PNIC_PENDING Pending, LONG Count);
BOOLEAN NicPendingRemove(PNIC_PENDING Pending, LONG Count);
VOID NicPendingWait(PNIC_ADAPTER Adapter, PNIC_PENDING Pending);
