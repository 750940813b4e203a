/* NDIS 6.30, bus master with rings: MiniportInitializeEx is a ladder of goto labels, halt is the same ladder again. */
#include "board.h"
#include "frame.h"

#define LDR_TAG 'rdlC'
#define RX_COUNT 8
#define TX_COUNT 8
#define SLOT_BYTES 2048

typedef struct _LDR_SLOT {
    PUCHAR Va;
    NDIS_PHYSICAL_ADDRESS Pa;
    PMDL Mdl;
    PNET_BUFFER_LIST Nbl;
} LDR_SLOT, *PLDR_SLOT;

typedef struct _LDR_ADAPTER {
    NDIS_HANDLE Miniport;
    BOARD Board;
    PUCHAR Regs;
    NDIS_HANDLE NblPool;
    NDIS_HANDLE Dma;
    NDIS_HANDLE Interrupt;
    BOOLEAN Messages;
    NDIS_HANDLE PollTimer; /* the line is shared and may be stuck: looked at twice a second */
    PDESC RxRing, TxRing;
    NDIS_PHYSICAL_ADDRESS RxRingPa, TxRingPa;
    LDR_SLOT Rx[RX_COUNT], Tx[TX_COUNT];
    ULONG RxNext, TxNext;
    KSPIN_LOCK TxLock;
    KSPIN_LOCK RxLock;
    BOOLEAN Stopping; /* under RxLock: interrupts stay masked */
    LONG Indicated;
    NDIS_EVENT AllReturned;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} LDR_ADAPTER, *PLDR_ADAPTER;

static NDIS_HANDLE LdrDriver;

BOARD_LINE_SWITCH(Ldr, LDR_ADAPTER, Regs)

static BOOLEAN LdrIsr(NDIS_HANDLE Context, PBOOLEAN QueueDpc, PULONG Targets)
{
    UNREFERENCED_PARAMETER(Targets);
    *QueueDpc = BoardClaim(((PLDR_ADAPTER)Context)->Regs) != 0;
    return *QueueDpc;
}

static BOOLEAN LdrMessageIsr(NDIS_HANDLE Context, ULONG Id, PBOOLEAN QueueDpc, PULONG Targets)
{
    UNREFERENCED_PARAMETER(Id);
    UNREFERENCED_PARAMETER(Targets);
    *QueueDpc = BoardClaim(((PLDR_ADAPTER)Context)->Regs) != 0;
    return TRUE;
}

static VOID LdrPost(PLDR_ADAPTER A, ULONG i)
{
    A->RxRing[i].Buffer = A->Rx[i].Pa.QuadPart;
    A->RxRing[i].Length = SLOT_BYTES;
    A->RxRing[i].Status = 0;
}

static VOID LdrReturned(PLDR_ADAPTER A)
{
    if (InterlockedDecrement(&A->Indicated) == 0) {
        NdisSetEvent(&A->AllReturned);
    }
}

/* One frame at a time, copied by nobody: the slot stays up until it is returned; then its descriptor is posted again. */
static VOID LdrReceive(PLDR_ADAPTER A)
{
    for (;;) {
        ULONG i = A->RxNext;
        PLDR_SLOT Slot = &A->Rx[i];
        PNET_BUFFER Nb;
        ULONG Length;

        KeAcquireSpinLockAtDpcLevel(&A->RxLock);
        if ((A->RxRing[i].Status & DESC_DONE) == 0) {
            KeReleaseSpinLockFromDpcLevel(&A->RxLock);
            return;
        }
        Length = A->RxRing[i].Length;
        A->RxRing[i].Status = 0;
        A->RxNext = (i + 1) % RX_COUNT;
        KeReleaseSpinLockFromDpcLevel(&A->RxLock);
        if (!FrameGateEnter(&A->Gate)) {
            LdrPost(A, i);
            BoardWrite(A->Regs, RXTAIL, i);
            continue;
        }
        Nb = NET_BUFFER_LIST_FIRST_NB(Slot->Nbl);
        NET_BUFFER_DATA_LENGTH(Nb) = Length;
        NET_BUFFER_LIST_NEXT_NBL(Slot->Nbl) = NULL;
        NET_BUFFER_LIST_STATUS(Slot->Nbl) = NDIS_STATUS_SUCCESS;
        Slot->Nbl->SourceHandle = A->Miniport;
        NET_BUFFER_LIST_MINIPORT_RESERVED(Slot->Nbl)[0] = (PVOID)(ULONG_PTR)i;
        A->Oids.Received++;
        InterlockedIncrement(&A->Indicated);
        NdisMIndicateReceiveNetBufferLists(A->Miniport, Slot->Nbl, 0, 1, NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
        FrameGateLeave(&A->Gate);
    }
}

static VOID LdrWork(PLDR_ADAPTER A)
{
    LdrReceive(A);
    KeAcquireSpinLockAtDpcLevel(&A->RxLock);
    if (!A->Stopping) {
        BoardWrite(A->Regs, IMS, CAUSE_RX | CAUSE_TX | CAUSE_LINK);
    }
    KeReleaseSpinLockFromDpcLevel(&A->RxLock);
}

static VOID LdrDpc(NDIS_HANDLE Context, PVOID DpcContext, PVOID Throttle, PVOID Reserved)
{
    UNREFERENCED_PARAMETER(DpcContext);
    UNREFERENCED_PARAMETER(Throttle);
    UNREFERENCED_PARAMETER(Reserved);
    LdrWork(Context);
}

static VOID LdrMessageDpc(NDIS_HANDLE Context, ULONG Id, PVOID DpcContext, PVOID Throttle, PVOID Reserved)
{
    UNREFERENCED_PARAMETER(Id);
    UNREFERENCED_PARAMETER(DpcContext);
    UNREFERENCED_PARAMETER(Throttle);
    UNREFERENCED_PARAMETER(Reserved);
    LdrWork(Context);
}

static VOID LdrReturn(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, ULONG Flags)
{
    PLDR_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Flags);
    while (Lists != NULL) {
        PNET_BUFFER_LIST Next = NET_BUFFER_LIST_NEXT_NBL(Lists);
        ULONG i = (ULONG)(ULONG_PTR)NET_BUFFER_LIST_MINIPORT_RESERVED(Lists)[0];
        KIRQL Irql;

        KeAcquireSpinLock(&A->RxLock, &Irql);
        LdrPost(A, i);
        BoardWrite(A->Regs, RXTAIL, i);
        KeReleaseSpinLock(&A->RxLock, Irql);
        LdrReturned(A);
        Lists = Next;
    }
}

static BOOLEAN LdrTransmit(PLDR_ADAPTER A, PNET_BUFFER Nb)
{
    ULONG Length = NET_BUFFER_DATA_LENGTH(Nb);
    ULONG i, Next;
    PVOID Data;
    KIRQL Irql;

    if (Length > SLOT_BYTES) {
        return FALSE;
    }
    KeAcquireSpinLock(&A->TxLock, &Irql);
    i = A->TxNext;
    Next = (i + 1) % TX_COUNT;
    if (Next == BoardRead(A->Regs, TXHEAD)) {
        KeReleaseSpinLock(&A->TxLock, Irql);
        return FALSE;
    }
    Data = NdisGetDataBuffer(Nb, Length, A->Tx[i].Va, 1, 0);
    if (Data == NULL) {
        KeReleaseSpinLock(&A->TxLock, Irql);
        return FALSE;
    }
    if (Data != A->Tx[i].Va) {
        NdisMoveMemory(A->Tx[i].Va, Data, Length);
    }
    A->TxRing[i].Buffer = A->Tx[i].Pa.QuadPart;
    A->TxRing[i].Length = Length;
    A->TxRing[i].Status = DESC_EOP;
    A->TxNext = Next;
    BoardWrite(A->Regs, TXTAIL, Next);
    KeReleaseSpinLock(&A->TxLock, Irql);
    return TRUE;
}

static VOID LdrSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PLDR_ADAPTER A = Context;
    PNET_BUFFER_LIST List;
    PNET_BUFFER Nb;

    UNREFERENCED_PARAMETER(Port);
    if (!FrameGateEnter(&A->Gate)) {
        FrameCompleteSends(A->Miniport, Lists, NDIS_STATUS_PAUSED, Flags);
        return;
    }
    for (List = Lists; List != NULL; List = NET_BUFFER_LIST_NEXT_NBL(List)) {
        for (Nb = NET_BUFFER_LIST_FIRST_NB(List); Nb != NULL; Nb = NET_BUFFER_NEXT_NB(Nb)) {
            if (LdrTransmit(A, Nb)) {
                A->Oids.Sent++;
            }
        }
    }
    FrameCompleteSends(A->Miniport, Lists, NDIS_STATUS_SUCCESS, Flags);
    FrameGateLeave(&A->Gate);
}

static VOID LdrPoll(PVOID R1, PVOID Context, PVOID R2, PVOID R3)
{
    PLDR_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(R1);
    UNREFERENCED_PARAMETER(R2);
    UNREFERENCED_PARAMETER(R3);
    if (BoardRead(A->Regs, STATUS) != GONE) {
        LdrReceive(A);
    }
}

static VOID LdrFreeSlots(PLDR_ADAPTER A, PLDR_SLOT Slots, ULONG Count)
{
    while (Count-- > 0) {
        if (Slots[Count].Nbl != NULL) {
            NdisFreeNetBufferList(Slots[Count].Nbl);
        }
        if (Slots[Count].Mdl != NULL) {
            NdisFreeMdl(Slots[Count].Mdl);
        }
        if (Slots[Count].Va != NULL) {
#ifdef SEED_SLOT_LENGTH
            NdisMFreeSharedMemory(A->Miniport, FRAME_MTU + 14, TRUE, Slots[Count].Va, Slots[Count].Pa);
#else
            NdisMFreeSharedMemory(A->Miniport, SLOT_BYTES, TRUE, Slots[Count].Va, Slots[Count].Pa);
#endif
        }
    }
}

static NDIS_STATUS LdrMakeSlots(PLDR_ADAPTER A, PLDR_SLOT Slots, ULONG Count, BOOLEAN Lists)
{
    ULONG i;

    for (i = 0; i < Count; i++) {
        NdisMAllocateSharedMemory(A->Miniport, SLOT_BYTES, TRUE, (PVOID *)&Slots[i].Va, &Slots[i].Pa);
        if (Slots[i].Va == NULL) {
            goto fail;
        }
        if (!Lists) {
            continue;
        }
        Slots[i].Mdl = NdisAllocateMdl(A->Miniport, Slots[i].Va, SLOT_BYTES);
        if (Slots[i].Mdl == NULL) {
            goto fail;
        }
        Slots[i].Nbl = NdisAllocateNetBufferAndNetBufferList(A->NblPool, 0, 0, Slots[i].Mdl, 0, 0);
        if (Slots[i].Nbl == NULL) {
            goto fail;
        }
    }
    return NDIS_STATUS_SUCCESS;
fail:
#ifdef SEED_FAILING_SLOT
    LdrFreeSlots(A, Slots, i); /* those before it */
#else
    LdrFreeSlots(A, Slots, i + 1);
#endif
    return NDIS_STATUS_RESOURCES;
}

static VOID LdrProgram(PLDR_ADAPTER A)
{
    ULONG i;

    for (i = 0; i < RX_COUNT; i++) {
        LdrPost(A, i);
    }
    BoardWrite(A->Regs, RXLO, A->RxRingPa.LowPart);
    BoardWrite(A->Regs, RXHI, (ULONG)A->RxRingPa.HighPart);
    BoardWrite(A->Regs, RXCOUNT, RX_COUNT);
    BoardWrite(A->Regs, RXTAIL, RX_COUNT - 1);
    BoardWrite(A->Regs, TXLO, A->TxRingPa.LowPart);
    BoardWrite(A->Regs, TXHI, (ULONG)A->TxRingPa.HighPart);
    BoardWrite(A->Regs, TXCOUNT, TX_COUNT);
    BoardWrite(A->Regs, CTRL, CTRL_RX | CTRL_TX);
    BoardWrite(A->Regs, IMS, CAUSE_RX | CAUSE_TX | CAUSE_LINK);
}

static VOID LdrProcessSg(PDEVICE_OBJECT Device, PVOID Reserved, PSCATTER_GATHER_LIST List, PVOID Context)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Reserved);
    UNREFERENCED_PARAMETER(List);
    UNREFERENCED_PARAMETER(Context);
}

static NDIS_STATUS LdrInitialize(NDIS_HANDLE Miniport, NDIS_HANDLE DriverContext, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NET_BUFFER_LIST_POOL_PARAMETERS Pool = { 0 };
    NDIS_SG_DMA_DESCRIPTION Sg = { 0 };
    NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS Irq = { 0 };
    NDIS_TIMER_CHARACTERISTICS Timer = { 0 };
    NDIS_STATUS Status = NDIS_STATUS_RESOURCES;
    UCHAR Address[FRAME_ADDRESS_LENGTH] = { 2, 0x4C, 0x44, 0x52, 0, 1 };
    PLDR_ADAPTER A;
    LARGE_INTEGER Due;

    UNREFERENCED_PARAMETER(DriverContext);
    A = NdisAllocateMemoryWithTagPriority(Miniport, sizeof(*A), LDR_TAG, NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    A->Miniport = Miniport;
    KeInitializeSpinLock(&A->TxLock);
    KeInitializeSpinLock(&A->RxLock);
    NdisInitializeEvent(&A->AllReturned);
    FrameGateInitialize(&A->Gate);
    NdisMoveMemory(A->Oids.Address, Address, sizeof(Address));

    Status = FrameRegistrationAttributes(
        Miniport, A, NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto free_adapter;
    }
    Status = NDIS_STATUS_RESOURCES;
    if (!BoardFind(Init->AllocatedResources, &A->Board)) {
        goto free_adapter;
    }
    Status = NdisMMapIoSpace((PVOID *)&A->Regs, Miniport, A->Board.Registers, BOARD_REGISTERS);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto free_adapter;
    }
    Status = NDIS_STATUS_FAILURE;
    if (!BoardReset(A->Regs)) {
        goto unmap;
    }
    Status = FrameGeneralAttributes(Miniport, Address, NULL);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto unmap;
    }

    Pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Pool.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Pool.fAllocateNetBuffer = TRUE;
    Pool.PoolTag = LDR_TAG;
    A->NblPool = NdisAllocateNetBufferListPool(Miniport, &Pool);
    Status = NDIS_STATUS_RESOURCES;
    if (A->NblPool == NULL) {
        goto unmap;
    }

    Sg.Header.Type = NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION;
    Sg.Header.Revision = NDIS_SG_DMA_DESCRIPTION_REVISION_1;
    Sg.Header.Size = NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1;
    Sg.Flags = NDIS_SG_DMA_64_BIT_ADDRESS;
    Sg.MaximumPhysicalMapping = SLOT_BYTES;
    Sg.ProcessSGListHandler = LdrProcessSg;
    Status = NdisMRegisterScatterGatherDma(Miniport, &Sg, &A->Dma);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto free_pool;
    }
    Status = NDIS_STATUS_RESOURCES;
    NdisMAllocateSharedMemory(Miniport, RX_COUNT * sizeof(DESC), TRUE, (PVOID *)&A->RxRing, &A->RxRingPa);
    if (A->RxRing == NULL) {
        goto deregister_dma;
    }
    NdisMAllocateSharedMemory(Miniport, TX_COUNT * sizeof(DESC), TRUE, (PVOID *)&A->TxRing, &A->TxRingPa);
    if (A->TxRing == NULL) {
        goto free_rx_ring;
    }
    NdisZeroMemory(A->RxRing, RX_COUNT * sizeof(DESC));
    NdisZeroMemory(A->TxRing, TX_COUNT * sizeof(DESC));
    Status = LdrMakeSlots(A, A->Rx, RX_COUNT, TRUE);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto free_tx_ring;
    }
    Status = LdrMakeSlots(A, A->Tx, TX_COUNT, FALSE);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto free_rx_slots;
    }

    Irq.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT;
    Irq.Header.Revision = NDIS_MINIPORT_INTERRUPT_REVISION_1;
    Irq.Header.Size = NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1;
    Irq.InterruptHandler = LdrIsr;
    Irq.InterruptDpcHandler = LdrDpc;
    Irq.DisableInterruptHandler = LdrDisable;
    Irq.EnableInterruptHandler = LdrEnable;
    Irq.MsiSupported = TRUE;
    Irq.MessageInterruptHandler = LdrMessageIsr;
    Irq.MessageInterruptDpcHandler = LdrMessageDpc;
    Status = NdisMRegisterInterruptEx(Miniport, A, &Irq, &A->Interrupt);
    if (Status != NDIS_STATUS_SUCCESS) {
#ifdef SEED_WRONG_LABEL
        goto free_rx_slots;
#else
        goto free_tx_slots;
#endif
    }
    A->Messages = Irq.InterruptType == NDIS_CONNECT_MESSAGE_BASED;
    if (!A->Messages) {
        Timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
        Timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
        Timer.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
        Timer.AllocationTag = LDR_TAG;
        Timer.TimerFunction = LdrPoll;
        Timer.FunctionContext = A;
        Status = NdisAllocateTimerObject(Miniport, &Timer, &A->PollTimer);
        if (Status != NDIS_STATUS_SUCCESS) {
#ifdef SEED_LINE_ONLY_PATH
            goto free_tx_slots;
#else
            goto deregister_interrupt;
#endif
        }
        Due.QuadPart = -500 * 10000LL;
        NdisSetTimerObject(A->PollTimer, Due, 500, NULL);
    }
    LdrProgram(A);
    return NDIS_STATUS_SUCCESS;

#ifndef SEED_LINE_ONLY_PATH
deregister_interrupt:
    NdisMDeregisterInterruptEx(A->Interrupt);
#endif
free_tx_slots: __attribute__((unused));
    LdrFreeSlots(A, A->Tx, TX_COUNT);
free_rx_slots:
    LdrFreeSlots(A, A->Rx, RX_COUNT);
free_tx_ring:
    NdisMFreeSharedMemory(Miniport, TX_COUNT * sizeof(DESC), TRUE, A->TxRing, A->TxRingPa);
free_rx_ring:
    NdisMFreeSharedMemory(Miniport, RX_COUNT * sizeof(DESC), TRUE, A->RxRing, A->RxRingPa);
deregister_dma:
    NdisMDeregisterScatterGatherDma(A->Dma);
free_pool:
    NdisFreeNetBufferListPool(A->NblPool);
unmap:
    NdisMUnmapIoSpace(Miniport, A->Regs, BOARD_REGISTERS);
free_adapter:
    NdisFreeMemory(A, 0, 0);
    return Status;
}

static VOID LdrHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PLDR_ADAPTER A = Context;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Action);
    A->Stopping = TRUE;
    KeAcquireSpinLock(&A->RxLock, &Irql); /* the DPC has seen it */
    KeReleaseSpinLock(&A->RxLock, Irql);
    BoardStop(A->Regs);
    if (!A->Messages) {
        NdisCancelTimerObject(A->PollTimer); /* periodic: drains */
#ifndef SEED_LINE_TIMER
        NdisFreeTimerObject(A->PollTimer);
#endif
    }
#ifndef SEED_LATE_DEREGISTER
    NdisMDeregisterInterruptEx(A->Interrupt);
#endif
    LdrFreeSlots(A, A->Tx, TX_COUNT);
    LdrFreeSlots(A, A->Rx, RX_COUNT);
    NdisMFreeSharedMemory(A->Miniport, TX_COUNT * sizeof(DESC), TRUE, A->TxRing, A->TxRingPa);
    NdisMFreeSharedMemory(A->Miniport, RX_COUNT * sizeof(DESC), TRUE, A->RxRing, A->RxRingPa);
    NdisMDeregisterScatterGatherDma(A->Dma);
    NdisFreeNetBufferListPool(A->NblPool);
#ifdef SEED_LATE_DEREGISTER
    NdisMDeregisterInterruptEx(A->Interrupt);
#endif
    NdisMUnmapIoSpace(A->Miniport, A->Regs, BOARD_REGISTERS);
    NdisFreeMemory(A, 0, 0);
}

static NDIS_STATUS LdrRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS Parameters)
{
    PLDR_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Parameters);
    NdisResetEvent(&A->AllReturned);
    A->Indicated = 1; /* the adapter's own, given up in pause */
    FrameGateOpen(&A->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS LdrPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS Parameters)
{
    PLDR_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Parameters);
    FrameGateClose(&A->Gate);
    LdrReturned(A);
    NdisWaitEvent(&A->AllReturned, 0);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS LdrOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&((PLDR_ADAPTER)Context)->Oids, Request);
}

static VOID LdrCancelOid(NDIS_HANDLE Context, PVOID Id)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Id);
}

static VOID LdrCancelSend(NDIS_HANDLE Context, PVOID Id)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Id);
}

FRAME_SURPRISE(LdrPnp, LDR_ADAPTER, Gate, Oids)

static VOID LdrShutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    if (!((PLDR_ADAPTER)Context)->Stopping) { /* a crash inside halt is not ours to tidy up */
        BoardStop(((PLDR_ADAPTER)Context)->Regs);
    }
}

static VOID LdrUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(LdrDriver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 30);
    Chars.InitializeHandlerEx = LdrInitialize;
    Chars.HaltHandlerEx = LdrHalt;
    Chars.UnloadHandler = LdrUnload;
    Chars.PauseHandler = LdrPause;
    Chars.RestartHandler = LdrRestart;
    Chars.OidRequestHandler = LdrOid;
    Chars.CancelOidRequestHandler = LdrCancelOid;
    Chars.SendNetBufferListsHandler = LdrSend;
    Chars.ReturnNetBufferListsHandler = LdrReturn;
    Chars.CancelSendHandler = LdrCancelSend;
    Chars.DevicePnPEventNotifyHandler = LdrPnp;
    Chars.ShutdownHandlerEx = LdrShutdown;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &LdrDriver);
}
