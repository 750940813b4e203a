/* NDIS 6.20 with CheckForHang and Reset: a heartbeat register is watched; the reset is done by a work item. */
#include "board.h"
#include "simple.h"

typedef struct _HNG_ADAPTER {
    SIMPLE Simple;
    PUCHAR Bar;
    NDIS_HANDLE Worker;
    PULONG Shadow;       /* what the registers held before the last reset */
    BOOLEAN Halting;
    LONG Resetting;
    ULONG Checks, Resets;
    NDIS_EVENT ResetOver;
} HNG_ADAPTER, *PHNG_ADAPTER;

static NDIS_HANDLE HngDriver;

static BOOLEAN HngCheckForHang(NDIS_HANDLE Context)
{
    PHNG_ADAPTER A = Context;
    ULONG Status;

    A->Checks++;
    Status = BoardRead(A->Bar, STATUS);
#ifdef SEED_RESETS_THE_DEAD
    return (BOOLEAN)((Status & STATUS_RESETTING) != 0);
#else
    return (BOOLEAN)(Status != GONE && (Status & STATUS_RESETTING) != 0);
#endif
}

static VOID HngWork(PVOID Context, NDIS_HANDLE Item)
{
    PHNG_ADAPTER A = Context;
    NDIS_STATUS Status;
    PULONG Shadow;

    UNREFERENCED_PARAMETER(Item);
    Shadow = NdisAllocateMemoryWithTagPriority(A->Simple.Handle, 16 * sizeof(ULONG), ' gnH', NormalPoolPriority);
    if (Shadow != NULL) {
        Shadow[0] = BoardRead(A->Bar, STATUS);
#ifndef SEED_SHADOW_REPLACED
        if (A->Shadow != NULL) {
            NdisFreeMemory(A->Shadow, 0, 0);
        }
#endif
        A->Shadow = Shadow;
    }
    Status = BoardReset(A->Bar) ? NDIS_STATUS_SUCCESS : NDIS_STATUS_HARD_ERRORS;
#ifdef SEED_RESETS_THE_DEAD
    if (Status != NDIS_STATUS_SUCCESS) {
        A->Shadow = NULL; /* nothing to restore */
    }
#endif
    A->Resets++;
    InterlockedExchange(&A->Resetting, 0);
    NdisMResetComplete(A->Simple.Handle, Status, FALSE);
    NdisSetEvent(&A->ResetOver);
}

static NDIS_STATUS HngReset(NDIS_HANDLE Context, PBOOLEAN AddressingReset)
{
    PHNG_ADAPTER A = Context;

    *AddressingReset = FALSE;
    if (InterlockedExchange(&A->Resetting, 1) != 0) {
        return NDIS_STATUS_RESET_IN_PROGRESS;
    }
    NdisResetEvent(&A->ResetOver);
    NdisQueueIoWorkItem(A->Worker, HngWork, A);
    return NDIS_STATUS_PENDING;
}

static VOID HngRelease(PHNG_ADAPTER A)
{
#ifndef SEED_SHADOW_KEPT
    if (A->Shadow != NULL) {
        NdisFreeMemory(A->Shadow, 0, 0);
    }
#endif
    if (A->Worker != NULL) {
        NdisFreeIoWorkItem(A->Worker);
    }
    if (A->Bar != NULL) {
        NdisMUnmapIoSpace(A->Simple.Handle, A->Bar, BOARD_REGISTERS);
    }
    NdisFreeMemory(A, 0, 0);
}

static NDIS_STATUS HngInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NDIS_STATUS Status;
    PHNG_ADAPTER A;
    BOARD Board;

    UNREFERENCED_PARAMETER(Context);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), ' gnH', NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    NdisInitializeEvent(&A->ResetOver);
    NdisSetEvent(&A->ResetOver);
    Status = SimpleBegin(&A->Simple, Handle, NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE);
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = BoardFind(Init->AllocatedResources, &Board)
                     ? NdisMMapIoSpace((PVOID *)&A->Bar, Handle, Board.Registers, BOARD_REGISTERS)
                     : NDIS_STATUS_RESOURCES;
        if (Status != NDIS_STATUS_SUCCESS) {
            A->Bar = NULL;
        }
    }
    if (Status == NDIS_STATUS_SUCCESS && !BoardReset(A->Bar)) {
        Status = NDIS_STATUS_FAILURE;
    }
    if (Status == NDIS_STATUS_SUCCESS) {
        A->Worker = NdisAllocateIoWorkItem(Handle);
        Status = A->Worker == NULL ? NDIS_STATUS_RESOURCES
                                   : FrameGeneralAttributes(Handle, A->Simple.Oids.Address, NULL);
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        HngRelease(A);
    }
    return Status;
}

static VOID HngHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PHNG_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Action);
    A->Halting = TRUE;
#ifndef SEED_RESET_NOT_AWAITED
    NdisWaitEvent(&A->ResetOver, 0);
#endif
    BoardStop(A->Bar);
#ifdef SEED_SPINS_WHEN_GONE
    /* Until the board says that it is in reset. */
    BoardWrite(A->Bar, CTRL, CTRL_RESET);
    while ((BoardRead(A->Bar, STATUS) & STATUS_RESETTING) != 0) {
        NdisMSleep(1000);
    }
#endif
    HngRelease(A);
}

static VOID HngShutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    if (!((PHNG_ADAPTER)Context)->Halting) {
        BoardStop(((PHNG_ADAPTER)Context)->Bar);
    }
}

static VOID HngUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(HngDriver);
}

FRAME_SURPRISE(HngPnp, HNG_ADAPTER, Simple.Gate, Simple.Oids)

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    SimpleHandlers(&Chars, 20);
    Chars.DevicePnPEventNotifyHandler = HngPnp;
    Chars.InitializeHandlerEx = HngInitialize;
    Chars.HaltHandlerEx = HngHalt;
    Chars.UnloadHandler = HngUnload;
#ifndef SEED_NO_RESET
    Chars.ResetHandlerEx = HngReset;
#else
    (void)HngReset;
#endif
    Chars.CheckForHangHandlerEx = HngCheckForHang;
    Chars.ShutdownHandlerEx = HngShutdown;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &HngDriver);
}
