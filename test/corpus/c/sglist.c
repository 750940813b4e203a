/* NDIS 6.20, bus master: sends by scatter/gather list, both rings in one block of shared memory, one more block allocated late. */
#include "board.h"
#include "frame.h"

#define SG_TAG 'rgSC'
#define RING 16
#define LATE_BYTES 8192

typedef struct _SG_SEND {
    PNET_BUFFER_LIST List;
    PNET_BUFFER Buffer;
    PSCATTER_GATHER_LIST Sg;
    struct _SG_SEND *Next;
} SG_SEND, *PSG_SEND;

typedef struct _SG_ADAPTER {
    NDIS_HANDLE Handle;
    PUCHAR Bar;
    NDIS_HANDLE Dma;
    NDIS_HANDLE Interrupt;
    PUCHAR Rings;                  /* RING transmit descriptors, a page of statistics */
    NDIS_PHYSICAL_ADDRESS RingsPa;
    PUCHAR Late;
    NDIS_PHYSICAL_ADDRESS LatePa;
    NDIS_EVENT LateDone;
    PDESC Tx;
    SG_SEND Slot[RING];            /* one for each descriptor, its first */
    ULONG Head, Tail, Used;
    KSPIN_LOCK Lock;
    BOOLEAN Down;                  /* nothing more goes to the NIC */
    BOOLEAN Halting;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} SG_ADAPTER, *PSG_ADAPTER;

#define RINGS_BYTES (RING * sizeof(DESC) + 4096)

static NDIS_HANDLE SgDriver;

static VOID SgDone(PSG_ADAPTER A, PNET_BUFFER_LIST List, NDIS_STATUS Status)
{
    NET_BUFFER_LIST_STATUS(List) = Status;
    NET_BUFFER_LIST_NEXT_NBL(List) = NULL;
    NdisMSendNetBufferListsComplete(A->Handle, List, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL);
    FrameGateLeave(&A->Gate);
}

/* DISPATCH: HAL has mapped the buffer. */
static VOID SgProcess(PDEVICE_OBJECT Device, PVOID Reserved, PSCATTER_GATHER_LIST Sg, PVOID Context)
{
    PNET_BUFFER Buffer = Context;
    PSG_ADAPTER A = NET_BUFFER_MINIPORT_RESERVED(Buffer)[0];
    PNET_BUFFER_LIST List = NET_BUFFER_MINIPORT_RESERVED(Buffer)[1];
    ULONG i, Room;

    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Reserved);
    KeAcquireSpinLockAtDpcLevel(&A->Lock);
    Room = RING - 1 - A->Used;
    if (A->Down || Sg->NumberOfElements > Room || Sg->NumberOfElements == 0) {
        KeReleaseSpinLockFromDpcLevel(&A->Lock);
#ifndef SEED_RING_FULL
        NdisMFreeNetBufferSGList(A->Dma, Sg, Buffer);
#endif
        SgDone(A, List, NDIS_STATUS_RESOURCES);
        return;
    }
    A->Slot[A->Tail].List = List;
    A->Slot[A->Tail].Buffer = Buffer;
    A->Slot[A->Tail].Sg = Sg;
    for (i = 0; i < Sg->NumberOfElements; i++) {
        A->Tx[A->Tail].Buffer = Sg->Elements[i].Address.QuadPart;
        A->Tx[A->Tail].Length = Sg->Elements[i].Length;
        A->Tx[A->Tail].Status = i + 1 == Sg->NumberOfElements ? DESC_EOP : 0;
        A->Tail = (A->Tail + 1) % RING;
        A->Used++;
    }
    KeMemoryBarrier();
    BoardWrite(A->Bar, TXTAIL, A->Tail);
    KeReleaseSpinLockFromDpcLevel(&A->Lock);
}

/* DISPATCH: completes what the NIC has sent; with `all`, also what it has not. */
static VOID SgReap(PSG_ADAPTER A, BOOLEAN All)
{
    PSG_SEND Done;
    SG_SEND One;

    for (;;) {
        KeAcquireSpinLockAtDpcLevel(&A->Lock);
        if (A->Used == 0 || (!All && (A->Tx[A->Head].Status & DESC_DONE) == 0)) {
            KeReleaseSpinLockFromDpcLevel(&A->Lock);
            return;
        }
        Done = &A->Slot[A->Head];
        One = *Done;
        Done->List = NULL;
        A->Tx[A->Head].Status = 0;
        A->Head = (A->Head + 1) % RING;
        A->Used--;
        KeReleaseSpinLockFromDpcLevel(&A->Lock);
        if (One.List != NULL) {
#ifdef SEED_SG_SKIPPED
            if (NET_BUFFER_DATA_LENGTH(One.Buffer) > 60) {
                NdisMFreeNetBufferSGList(A->Dma, One.Sg, One.Buffer);
            }
#else
            NdisMFreeNetBufferSGList(A->Dma, One.Sg, One.Buffer);
#endif
            A->Oids.Sent++;
            SgDone(A, One.List, NDIS_STATUS_SUCCESS);
        }
    }
}

/* One NET_BUFFER a list: the first is sent, as this board's firmware cannot chain. */
static VOID SgSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PSG_ADAPTER A = Context;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Port);
    UNREFERENCED_PARAMETER(Flags);
    while (Lists != NULL) {
        PNET_BUFFER_LIST List = Lists;
        PNET_BUFFER Buffer = NET_BUFFER_LIST_FIRST_NB(List);

        Lists = NET_BUFFER_LIST_NEXT_NBL(List);
        NET_BUFFER_LIST_NEXT_NBL(List) = NULL;
        if (!FrameGateEnter(&A->Gate)) {
            FrameCompleteSends(A->Handle, List, NDIS_STATUS_PAUSED, Flags);
            continue;
        }
        NET_BUFFER_MINIPORT_RESERVED(Buffer)[0] = A;
        NET_BUFFER_MINIPORT_RESERVED(Buffer)[1] = List;
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
        SgReap(A, FALSE);
        if (NdisMAllocateNetBufferSGList(A->Dma, Buffer, Buffer, NDIS_SG_LIST_WRITE_TO_DEVICE, NULL, 0) !=
            NDIS_STATUS_SUCCESS) {
            SgDone(A, List, NDIS_STATUS_RESOURCES);
        }
        KeLowerIrql(Irql);
    }
}

static BOOLEAN SgIsr(NDIS_HANDLE Context, PBOOLEAN Queue, PULONG Targets)
{
    UNREFERENCED_PARAMETER(Targets);
    *Queue = BoardClaim(((PSG_ADAPTER)Context)->Bar) != 0;
    return *Queue;
}

static VOID SgDpc(NDIS_HANDLE Context, PVOID C, PVOID T, PVOID R)
{
    PSG_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(C);
    UNREFERENCED_PARAMETER(T);
    UNREFERENCED_PARAMETER(R);
    SgReap(A, FALSE);
    KeAcquireSpinLockAtDpcLevel(&A->Lock);
    if (!A->Down) {
        BoardWrite(A->Bar, IMS, CAUSE_TX);
    }
    KeReleaseSpinLockFromDpcLevel(&A->Lock);
}

static VOID SgLateBlock(NDIS_HANDLE Context, PVOID Address, PNDIS_PHYSICAL_ADDRESS Physical, ULONG Length, PVOID Mine)
{
    PSG_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Length);
    UNREFERENCED_PARAMETER(Mine);
    if (Address != NULL) {
        A->Late = Address;
        A->LatePa = *Physical;
    }
    NdisSetEvent(&A->LateDone);
}

static VOID SgStop(PSG_ADAPTER A)
{
    KIRQL Irql;

    KeAcquireSpinLock(&A->Lock, &Irql);
    A->Down = TRUE;
    KeReleaseSpinLock(&A->Lock, Irql);
    BoardStop(A->Bar);
}

static VOID SgFreeMemory(PSG_ADAPTER A)
{
#ifndef SEED_LATE_NOT_AWAITED
    NdisWaitEvent(&A->LateDone, 0);
#endif
#ifndef SEED_LATE_FORGOTTEN
    if (A->Late != NULL) {
#ifdef SEED_LATE_BY_POINTER
        NdisMFreeSharedMemory(A->Handle, LATE_BYTES, TRUE, A->Late, A->RingsPa);
#else
        NdisMFreeSharedMemory(A->Handle, LATE_BYTES, TRUE, A->Late, A->LatePa);
#endif
    }
#endif
    NdisMFreeSharedMemory(A->Handle, RINGS_BYTES, TRUE, A->Rings, A->RingsPa);
#ifdef SEED_STATISTICS_TOO
    {
        NDIS_PHYSICAL_ADDRESS Pa = A->RingsPa;

        Pa.QuadPart += RING * sizeof(DESC);
        NdisMFreeSharedMemory(A->Handle, 4096, TRUE, A->Rings + RING * sizeof(DESC), Pa);
    }
#endif
}

static NDIS_STATUS SgInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    static const UCHAR Address[] = { 2, 0x53, 0x47, 0x4C, 0, 1 };
    NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS Irq = { 0 };
    NDIS_SG_DMA_DESCRIPTION Dma = { 0 };
    NDIS_STATUS Status;
    PSG_ADAPTER A;
    BOARD Board;

    UNREFERENCED_PARAMETER(Context);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), SG_TAG, NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    A->Handle = Handle;
    KeInitializeSpinLock(&A->Lock);
    NdisInitializeEvent(&A->LateDone);
    FrameGateInitialize(&A->Gate);
    NdisMoveMemory(A->Oids.Address, Address, sizeof(Address));
    Status = FrameRegistrationAttributes(
        Handle, A, NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto NoMap;
    }
    Status = NDIS_STATUS_RESOURCES;
    if (!BoardFind(Init->AllocatedResources, &Board)) {
        goto NoMap;
    }
    Status = NdisMMapIoSpace((PVOID *)&A->Bar, Handle, Board.Registers, BOARD_REGISTERS);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto NoMap;
    }
    Status = BoardReset(A->Bar) ? FrameGeneralAttributes(Handle, Address, NULL) : NDIS_STATUS_FAILURE;
    if (Status != NDIS_STATUS_SUCCESS) {
        goto NoDma;
    }
    Dma.Header.Type = NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION;
    Dma.Header.Revision = NDIS_SG_DMA_DESCRIPTION_REVISION_1;
    Dma.Header.Size = NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1;
    Dma.Flags = NDIS_SG_DMA_64_BIT_ADDRESS;
    Dma.MaximumPhysicalMapping = 2048;
    Dma.ProcessSGListHandler = SgProcess;
    Dma.SharedMemAllocateCompleteHandler = SgLateBlock;
    Status = NdisMRegisterScatterGatherDma(Handle, &Dma, &A->Dma);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto NoDma;
    }
    NdisMAllocateSharedMemory(Handle, RINGS_BYTES, TRUE, (PVOID *)&A->Rings, &A->RingsPa);
    if (A->Rings == NULL) {
        Status = NDIS_STATUS_RESOURCES;
#ifdef SEED_DMA_LEFT
        goto NoDma;
#else
        goto NoRings;
#endif
    }
    NdisZeroMemory(A->Rings, RINGS_BYTES);
    A->Tx = (PDESC)A->Rings;
    /* Nice to have: without it the board keeps no history. */
    if (NdisMAllocateSharedMemoryAsyncEx(A->Dma, LATE_BYTES, TRUE, NULL) != NDIS_STATUS_PENDING) {
        NdisSetEvent(&A->LateDone);
    }
    Irq.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT;
    Irq.Header.Revision = NDIS_MINIPORT_INTERRUPT_REVISION_1;
    Irq.Header.Size = NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1;
    Irq.InterruptHandler = SgIsr;
    Irq.InterruptDpcHandler = SgDpc;
    Status = NdisMRegisterInterruptEx(Handle, A, &Irq, &A->Interrupt);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto NoInterrupt;
    }
    BoardWrite(A->Bar, TXLO, A->RingsPa.LowPart);
    BoardWrite(A->Bar, TXHI, (ULONG)A->RingsPa.HighPart);
    BoardWrite(A->Bar, TXCOUNT, RING);
    BoardWrite(A->Bar, CTRL, CTRL_TX);
    BoardWrite(A->Bar, IMS, CAUSE_TX);
    return NDIS_STATUS_SUCCESS;

NoInterrupt:
    SgFreeMemory(A);
NoRings: __attribute__((unused));
    NdisMDeregisterScatterGatherDma(A->Dma);
NoDma:
    NdisMUnmapIoSpace(Handle, A->Bar, BOARD_REGISTERS);
NoMap:
    NdisFreeMemory(A, 0, 0);
    return Status;
}

static VOID SgHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PSG_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Action);
    A->Halting = TRUE;
    SgStop(A);
    NdisMDeregisterInterruptEx(A->Interrupt);
#ifdef SEED_DMA_FIRST
    NdisMDeregisterScatterGatherDma(A->Dma);
    SgFreeMemory(A);
#else
    SgFreeMemory(A);
    NdisMDeregisterScatterGatherDma(A->Dma);
#endif
    NdisMUnmapIoSpace(A->Handle, A->Bar, BOARD_REGISTERS);
    NdisFreeMemory(A, 0, 0);
}

/* The NIC may be gone: after a while what it has not sent is given back all the same. */
static NDIS_STATUS SgPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    PSG_ADAPTER A = Context;
    ULONG Tries;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(P);
    for (Tries = 0; Tries < 20 && A->Used != 0 && BoardRead(A->Bar, STATUS) != GONE; Tries++) {
        NdisMSleep(1000);
    }
    KeAcquireSpinLock(&A->Lock, &Irql);
    A->Down = TRUE; /* nothing more goes to the NIC */
    KeReleaseSpinLock(&A->Lock, Irql);
    BoardStop(A->Bar);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    SgReap(A, TRUE);
    KeLowerIrql(Irql);
    FrameGateClose(&A->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS SgRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    PSG_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(P);
    if (!BoardReset(A->Bar)) {
        return NDIS_STATUS_FAILURE;
    }
    A->Head = A->Tail = A->Used = 0;
    BoardWrite(A->Bar, TXLO, A->RingsPa.LowPart);
    BoardWrite(A->Bar, TXHI, (ULONG)A->RingsPa.HighPart);
    BoardWrite(A->Bar, TXCOUNT, RING);
    BoardWrite(A->Bar, CTRL, CTRL_TX);
    A->Down = FALSE;
    BoardWrite(A->Bar, IMS, CAUSE_TX);
    FrameGateOpen(&A->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS SgOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&((PSG_ADAPTER)Context)->Oids, Request);
}

static VOID SgShutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    if (!((PSG_ADAPTER)Context)->Halting) {
        BoardStop(((PSG_ADAPTER)Context)->Bar);
    }
}

static VOID SgUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(SgDriver);
}

FRAME_SURPRISE(SgPnp, SG_ADAPTER, Gate, Oids)

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 20);
    FrameQuietHandlers(&Chars);
    Chars.DevicePnPEventNotifyHandler = SgPnp;
    Chars.InitializeHandlerEx = SgInitialize;
    Chars.HaltHandlerEx = SgHalt;
    Chars.UnloadHandler = SgUnload;
    Chars.PauseHandler = SgPause;
    Chars.RestartHandler = SgRestart;
    Chars.OidRequestHandler = SgOid;
    Chars.SendNetBufferListsHandler = SgSend;
    Chars.ShutdownHandlerEx = SgShutdown;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &SgDriver);
}
