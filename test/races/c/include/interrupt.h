/* The NIC's interrupt: the ISR counts in one block of memory, its DPC in another. */
#pragma once
#include "../../../corpus/c/include/board.h"
#define RACE_HARDWARE
#define RACE_MEMBERS PUCHAR Bar; NDIS_HANDLE Interrupt; PULONG IsrCounts; PULONG DpcCounts;
#include "race.h"

BOARD_LINE_SWITCH(Race, RACE, Bar)

static inline BOOLEAN Claim(PRACE R)
{
    ULONG Cause = BoardClaim(R->Bar);

    if (Cause != 0) {
        R->IsrCounts[0]++;
    }
    return Cause != 0;
}

static inline BOOLEAN Isr(NDIS_HANDLE Context, PBOOLEAN Queue, PULONG Targets)
{
    UNREFERENCED_PARAMETER(Targets);
    *Queue = Claim(Context);
    return *Queue;
}

static inline VOID Serve(PRACE R)
{
    R->DpcCounts[0]++;
    KeAcquireSpinLockAtDpcLevel(&R->Lock);
    if (!R->Stopping) {
        BoardWrite(R->Bar, IMS, CAUSE_LINK);
    }
    KeReleaseSpinLockFromDpcLevel(&R->Lock);
}

static inline VOID Dpc(NDIS_HANDLE Context, PVOID C, PVOID T, PVOID P)
{
    UNREFERENCED_PARAMETER(C);
    UNREFERENCED_PARAMETER(T);
    UNREFERENCED_PARAMETER(P);
    Serve(Context);
}

static inline BOOLEAN MessageIsr(NDIS_HANDLE Context, ULONG Id, PBOOLEAN Queue, PULONG Targets)
{
    UNREFERENCED_PARAMETER(Id);
    UNREFERENCED_PARAMETER(Targets);
    *Queue = Claim(Context);
    return TRUE;
}

static inline VOID MessageDpc(NDIS_HANDLE Context, ULONG Id, PVOID C, PVOID T, PVOID P)
{
    UNREFERENCED_PARAMETER(Id);
    UNREFERENCED_PARAMETER(C);
    UNREFERENCED_PARAMETER(T);
    UNREFERENCED_PARAMETER(P);
    Serve(Context);
}

static inline NDIS_STATUS Connect(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init, BOOLEAN Messages)
{
    NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS Irq = { 0 };
    NDIS_STATUS Status;
    BOARD Board;

    R->IsrCounts = RaceAllocate(R, 64);
    R->DpcCounts = RaceAllocate(R, 64);
    if (R->IsrCounts == NULL || R->DpcCounts == NULL || !BoardFind(Init->AllocatedResources, &Board)) {
        return NDIS_STATUS_RESOURCES;
    }
    Status = NdisMMapIoSpace((PVOID *)&R->Bar, R->Simple.Handle, Board.Registers, BOARD_REGISTERS);
    if (Status != NDIS_STATUS_SUCCESS) {
        R->Bar = NULL;
        return Status;
    }
    if (!BoardReset(R->Bar)) {
        return NDIS_STATUS_FAILURE;
    }
    Irq.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT;
    Irq.Header.Revision = NDIS_MINIPORT_INTERRUPT_REVISION_1;
    Irq.Header.Size = NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1;
    Irq.InterruptHandler = Isr;
    Irq.InterruptDpcHandler = Dpc;
    Irq.DisableInterruptHandler = RaceDisable;
    Irq.EnableInterruptHandler = RaceEnable;
    Irq.MsiSupported = Messages;
    if (Messages) {
        Irq.MessageInterruptHandler = MessageIsr;
        Irq.MessageInterruptDpcHandler = MessageDpc;
    }
    Status = NdisMRegisterInterruptEx(R->Simple.Handle, R, &Irq, &R->Interrupt);
    if (Status != NDIS_STATUS_SUCCESS) {
        R->Interrupt = NULL;
        return Status;
    }
    BoardWrite(R->Bar, IMS, CAUSE_LINK);
    return NDIS_STATUS_SUCCESS;
}

/* No interrupt of the board's own comes any more. What has come before may still be on its way. */
static inline VOID Quiet(PRACE R)
{
    KIRQL Irql;

    KeAcquireSpinLock(&R->Lock, &Irql);
    R->Stopping = TRUE;
    KeReleaseSpinLock(&R->Lock, Irql);
    if (R->Bar != NULL) {
        BoardStop(R->Bar);
    }
}

static inline VOID Disconnect(PRACE R)
{
    if (R->Interrupt != NULL) {
        NdisMDeregisterInterruptEx(R->Interrupt);
    }
}

static inline VOID Unmap(PRACE R)
{
    if (R->Bar != NULL) {
        NdisMUnmapIoSpace(R->Simple.Handle, R->Bar, BOARD_REGISTERS);
    }
}

static VOID Shutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    if (!((PRACE)Context)->Stopping) {
        BoardStop(((PRACE)Context)->Bar);
    }
}
