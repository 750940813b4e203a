/* NDIS 6.30, MSI only: a bus that grants the line instead is refused. A vector block for each message. */
#include "board.h"
#include "frame.h"

#define MAX_VECTORS 4

typedef struct _MSI_VECTOR {
    struct _MSI_ADAPTER *Owner;
    ULONG Id;
    ULONG64 Count;
} MSI_VECTOR, *PMSI_VECTOR;

typedef struct _MSI_ADAPTER {
    NDIS_HANDLE Handle;
    PUCHAR Bar;
    NDIS_HANDLE Interrupt;
    ULONG VectorCount;
    PMSI_VECTOR Vector[MAX_VECTORS];
    KSPIN_LOCK Lock;
    BOOLEAN Closing;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} MSI_ADAPTER, *PMSI_ADAPTER;

static NDIS_HANDLE MsiDriver;

BOARD_LINE_SWITCH(Msi, MSI_ADAPTER, Bar)

/* Never granted, yet NDIS wants it. */
static BOOLEAN MsiLineIsr(NDIS_HANDLE Context, PBOOLEAN Queue, PULONG Targets)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Targets);
    *Queue = FALSE;
    return FALSE;
}

static VOID MsiLineDpc(NDIS_HANDLE Context, PVOID C, PVOID T, PVOID R)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(C);
    UNREFERENCED_PARAMETER(T);
    UNREFERENCED_PARAMETER(R);
}

static BOOLEAN MsiIsr(NDIS_HANDLE Context, ULONG Id, PBOOLEAN Queue, PULONG Targets)
{
    PMSI_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Targets);
    UNREFERENCED_PARAMETER(Id);
    *Queue = BoardClaim(A->Bar) != 0;
    return TRUE;
}

static VOID MsiDpc(NDIS_HANDLE Context, ULONG Id, PVOID C, PVOID T, PVOID R)
{
    PMSI_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(C);
    UNREFERENCED_PARAMETER(T);
    UNREFERENCED_PARAMETER(R);
    KeAcquireSpinLockAtDpcLevel(&A->Lock);
    if (!A->Closing) {
        if (Id < A->VectorCount) {
            A->Vector[Id]->Count++;
        }
        BoardWrite(A->Bar, IMS, CAUSE_LINK);
    }
    KeReleaseSpinLockFromDpcLevel(&A->Lock);
}

static VOID MsiFreeVectors(PMSI_ADAPTER A)
{
    ULONG i;

#ifdef SEED_ONE_SHORT
    for (i = 0; i + 1 < A->VectorCount; i++) {
#else
    for (i = 0; i < A->VectorCount; i++) {
#endif
        NdisFreeMemoryWithTagPriority(A->Handle, A->Vector[i], 'isM ');
    }
    A->VectorCount = 0;
}

static NDIS_STATUS MsiConnect(PMSI_ADAPTER A)
{
    NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS Irq = { 0 };
    NDIS_STATUS Status;
    ULONG i, Count;

    Irq.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT;
    Irq.Header.Revision = NDIS_MINIPORT_INTERRUPT_REVISION_1;
    Irq.Header.Size = NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1;
    Irq.InterruptHandler = MsiLineIsr;
    Irq.InterruptDpcHandler = MsiLineDpc;
    Irq.DisableInterruptHandler = MsiDisable;
    Irq.EnableInterruptHandler = MsiEnable;
    Irq.MsiSupported = TRUE;
    Irq.MessageInterruptHandler = MsiIsr;
    Irq.MessageInterruptDpcHandler = MsiDpc;
    Status = NdisMRegisterInterruptEx(A->Handle, A, &Irq, &A->Interrupt);
    if (Status != NDIS_STATUS_SUCCESS) {
        return Status;
    }
    if (Irq.InterruptType != NDIS_CONNECT_MESSAGE_BASED) {
#ifndef SEED_LINE_REFUSED
        NdisMDeregisterInterruptEx(A->Interrupt);
#endif
        return NDIS_STATUS_NOT_ACCEPTED;
    }
    Count = Irq.MessageInfoTable->MessageCount;
    if (Count > MAX_VECTORS) {
        Count = MAX_VECTORS;
    }
    for (i = 0; i < Count; i++) {
        PMSI_VECTOR Vector = NdisAllocateMemoryWithTagPriority(A->Handle, sizeof(*Vector), 'isM ', NormalPoolPriority);

        if (Vector == NULL) {
#ifdef SEED_VECTORS_BEFORE
            NdisMDeregisterInterruptEx(A->Interrupt);
#else
            NdisMDeregisterInterruptEx(A->Interrupt);
            MsiFreeVectors(A);
#endif
            return NDIS_STATUS_RESOURCES;
        }
        Vector->Owner = A;
        Vector->Id = i;
        Vector->Count = 0;
        A->Vector[i] = Vector;
        A->VectorCount = i + 1;
    }
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS MsiInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    static const UCHAR Address[] = { 2, 0x4D, 0x53, 0x49, 0, 1 };
    NDIS_STATUS Status;
    PMSI_ADAPTER A;
    BOARD Board;

    UNREFERENCED_PARAMETER(Context);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), 'isM ', NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    A->Handle = Handle;
    KeInitializeSpinLock(&A->Lock);
    FrameGateInitialize(&A->Gate);
    NdisMoveMemory(A->Oids.Address, Address, sizeof(Address));
    Status = FrameRegistrationAttributes(Handle, A, NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE, 0);
    if (Status == NDIS_STATUS_SUCCESS && !BoardFind(Init->AllocatedResources, &Board)) {
        Status = NDIS_STATUS_RESOURCES;
    }
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = NdisMMapIoSpace((PVOID *)&A->Bar, Handle, Board.Registers, BOARD_REGISTERS);
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        NdisFreeMemory(A, 0, 0);
        return Status;
    }
    Status = BoardReset(A->Bar) ? FrameGeneralAttributes(Handle, Address, NULL) : NDIS_STATUS_FAILURE;
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = MsiConnect(A);
    }
#ifdef SEED_ACCEPTED
    /* NOT_ACCEPTED is no error by its severity. */
    if (!NT_SUCCESS(Status)) {
#else
    if (Status != NDIS_STATUS_SUCCESS) {
#endif
        NdisMUnmapIoSpace(Handle, A->Bar, BOARD_REGISTERS);
        NdisFreeMemory(A, 0, 0);
        return Status;
    }
#ifdef SEED_ACCEPTED
    if (Status != NDIS_STATUS_SUCCESS) {
        return Status;
    }
#endif
    BoardWrite(A->Bar, IMS, CAUSE_LINK);
    return NDIS_STATUS_SUCCESS;
}

static VOID MsiHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PMSI_ADAPTER A = Context;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Action);
    A->Closing = TRUE;
    KeAcquireSpinLock(&A->Lock, &Irql); /* the DPC has seen it */
    KeReleaseSpinLock(&A->Lock, Irql);
    BoardStop(A->Bar);
#ifdef SEED_HANDLE_CLEARED
    A->Interrupt = NULL;
#endif
    if (A->Interrupt != NULL) {
        NdisMDeregisterInterruptEx(A->Interrupt);
    }
    MsiFreeVectors(A);
    NdisMUnmapIoSpace(A->Handle, A->Bar, BOARD_REGISTERS);
    NdisFreeMemory(A, 0, 0);
}

static NDIS_STATUS MsiPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateClose(&((PMSI_ADAPTER)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS MsiRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateOpen(&((PMSI_ADAPTER)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static VOID MsiSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PMSI_ADAPTER A = Context;
    BOOLEAN Open = FrameGateEnter(&A->Gate);

    UNREFERENCED_PARAMETER(Port);
    FrameCompleteSends(A->Handle, Lists, Open ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, Flags);
    if (Open) {
        FrameGateLeave(&A->Gate);
    }
}

static NDIS_STATUS MsiOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&((PMSI_ADAPTER)Context)->Oids, Request);
}

static VOID MsiShutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
#ifndef SEED_SHUTDOWN_LEAVES
    if (!((PMSI_ADAPTER)Context)->Closing) {
        BoardStop(((PMSI_ADAPTER)Context)->Bar);
    }
#else
    UNREFERENCED_PARAMETER(Context);
#endif
}

static VOID MsiUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(MsiDriver);
}

FRAME_SURPRISE(MsiPnp, MSI_ADAPTER, Gate, Oids)

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 30);
    FrameQuietHandlers(&Chars);
    Chars.DevicePnPEventNotifyHandler = MsiPnp;
    Chars.InitializeHandlerEx = MsiInitialize;
    Chars.HaltHandlerEx = MsiHalt;
    Chars.UnloadHandler = MsiUnload;
    Chars.PauseHandler = MsiPause;
    Chars.RestartHandler = MsiRestart;
    Chars.OidRequestHandler = MsiOid;
    Chars.SendNetBufferListsHandler = MsiSend;
    Chars.ShutdownHandlerEx = MsiShutdown;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &MsiDriver);
}
