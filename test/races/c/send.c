/* Sends are queued and completed by a work item; pause waits until none is under way. */
#define RACE_MEMBERS PNET_BUFFER_LIST First; BOOLEAN Up, Queued;
#define RACE_HANDLERS
#include "race.h"

static VOID Complete(PVOID Context, NDIS_HANDLE Item)
{
    PNET_BUFFER_LIST Lists;
    PRACE R = Context;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Item);
    KeAcquireSpinLock(&R->Lock, &Irql);
    Lists = R->First;
    R->First = NULL;
#ifdef SEED_COUNTED_OUT_FIRST
    R->Queued = FALSE;
    NdisSetEvent(&R->Done);
#endif
    KeReleaseSpinLock(&R->Lock, Irql);
    FrameCompleteSends(R->Simple.Handle, Lists, NDIS_STATUS_SUCCESS, 0);
#ifndef SEED_COUNTED_OUT_FIRST
    KeAcquireSpinLock(&R->Lock, &Irql);
    R->Queued = FALSE;
    NdisSetEvent(&R->Done);
    KeReleaseSpinLock(&R->Lock, Irql);
#endif
}

/* One at a time is under way; what comes meanwhile is dropped. */
static VOID Send(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PRACE R = Context;
    BOOLEAN Up, Take;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Port);
    KeAcquireSpinLock(&R->Lock, &Irql);
    Up = R->Up;
    Take = Up && !R->Queued;
    if (Take) {
        R->First = Lists;
        R->Queued = TRUE;
        NdisResetEvent(&R->Done);
    }
    KeReleaseSpinLock(&R->Lock, Irql);
    if (Take) {
        NdisQueueIoWorkItem(R->Item, Complete, R);
    } else {
        FrameCompleteSends(R->Simple.Handle, Lists, Up ? NDIS_STATUS_RESOURCES : NDIS_STATUS_PAUSED, Flags);
    }
}

static NDIS_STATUS Pause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    PRACE R = Context;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(P);
    KeAcquireSpinLock(&R->Lock, &Irql);
    R->Up = FALSE;
    KeReleaseSpinLock(&R->Lock, Irql);
    NdisWaitEvent(&R->Done, 0);
    KeAcquireSpinLock(&R->Lock, &Irql); /* whoever set the event has left the lock */
    KeReleaseSpinLock(&R->Lock, Irql);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS Restart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    ((PRACE)Context)->Up = TRUE;
    return NDIS_STATUS_SUCCESS;
}

static VOID RaceHandlers(PNDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars)
{
    Chars->SendNetBufferListsHandler = Send;
    Chars->PauseHandler = Pause;
    Chars->RestartHandler = Restart;
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    UNREFERENCED_PARAMETER(Init);
    NdisSetEvent(&R->Done);
    R->Item = NdisAllocateIoWorkItem(R->Simple.Handle);
    return R->Item == NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
}

static VOID RaceEnd(PRACE R)
{
    RaceFreeItem(R);
}
