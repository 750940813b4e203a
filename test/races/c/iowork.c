/* A work item of the I/O manager that a timer queues whenever it is not under way. */
#define RACE_MEMBERS PIO_WORKITEM IoItem; LONG Queued;
#include "race.h"

static VOID Work(PDEVICE_OBJECT Device, PVOID Context)
{
    PRACE R = Context;
#ifndef SEED_STALE_SIGNAL
    KIRQL Irql;
#endif

    UNREFERENCED_PARAMETER(Device);
    R->Count++;
#ifdef SEED_STALE_SIGNAL
    /* Between the two it may be queued again, and the event is about this time. */
    InterlockedExchange(&R->Queued, 0);
    NdisSetEvent(&R->Done);
#else
    KeAcquireSpinLock(&R->Lock, &Irql);
    R->Queued = 0;
    NdisSetEvent(&R->Done);
    KeReleaseSpinLock(&R->Lock, Irql);
#endif
}

static VOID Tick(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    PRACE R = Context;
    BOOLEAN First;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
#ifdef SEED_STALE_SIGNAL
    First = InterlockedExchange(&R->Queued, 1) == 0;
    if (First) {
        NdisResetEvent(&R->Done);
    }
#else
    KeAcquireSpinLockAtDpcLevel(&R->Lock);
    First = R->Queued == 0;
    if (First) {
        R->Queued = 1;
        NdisResetEvent(&R->Done);
    }
    KeReleaseSpinLockFromDpcLevel(&R->Lock);
#endif
    if (First) {
        IoQueueWorkItem(R->IoItem, Work, DelayedWorkQueue, R);
    }
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    PDEVICE_OBJECT Device;

    UNREFERENCED_PARAMETER(Init);
    NdisSetEvent(&R->Done);
    NdisMGetDeviceProperty(R->Simple.Handle, NULL, &Device, NULL, NULL, NULL);
    R->IoItem = IoAllocateWorkItem(Device);
    return R->IoItem == NULL ? NDIS_STATUS_RESOURCES : RaceStartTimer(R, Tick, 2000);
}

static VOID RaceEnd(PRACE R)
{
    KIRQL Irql;

    RaceStopTimer(R);
    NdisWaitEvent(&R->Done, 0);
    KeAcquireSpinLock(&R->Lock, &Irql); /* whoever set the event has left the lock */
    KeReleaseSpinLock(&R->Lock, Irql);
    if (R->IoItem != NULL) {
        IoFreeWorkItem(R->IoItem);
    }
}
