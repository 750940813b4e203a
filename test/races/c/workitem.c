/* An NDIS work item that a timer queues. It and halt both give up their use of the adapter; the last one says so. */
#define RACE_MEMBERS PVOID Statistics;
#include "race.h"

static VOID Leave(PRACE R)
{
#ifdef SEED_COUNT_LOST
    LARGE_INTEGER Now;
    LONG Left = R->Count - 1;

    NdisGetSystemUpTimeEx(&Now); /* when the last one left */
    R->Buffer[0] = Now.LowPart;
    R->Count = Left;
#else
    LONG Left = InterlockedDecrement(&R->Count);
#endif
    if (Left == 0) {
        NdisSetEvent(&R->Done);
    }
}

/* Whoever finds the statistics frees them. */
static VOID FreeStatistics(PRACE R)
{
#ifdef SEED_FREED_TWICE
    if (R->Statistics != NULL) {
        NdisFreeMemory(R->Statistics, 0, 0);
        R->Statistics = NULL;
    }
#else
    RaceFree(InterlockedExchangePointer(&R->Statistics, NULL));
#endif
}

static VOID Work(PVOID Context, NDIS_HANDLE Item)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(Item);
    FreeStatistics(R);
    Leave(R);
#ifdef SEED_SIGNALS_EARLY
    R->Simple.Oids.Received++;
#endif
}

static VOID Tick(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
    NdisQueueIoWorkItem(R->Item, Work, R);
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    UNREFERENCED_PARAMETER(Init);
    R->Count = 2;
    R->Buffer = RaceAllocate(R, 64);
    R->Statistics = RaceAllocate(R, 256);
    R->Item = NdisAllocateIoWorkItem(R->Simple.Handle);
    if (R->Buffer == NULL || R->Statistics == NULL || R->Item == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    return RaceStartTimer(R, Tick, 0);
}

static VOID RaceEnd(PRACE R)
{
    FreeStatistics(R);
    if (RaceStopTimer(R)) {
        Leave(R); /* for the work that will not be done */
    }
    Leave(R);
#ifdef SEED_NOT_AWAITED
    if (R->Count != 0) {
        NdisMSleep(1000); /* it will not take longer */
    }
#else
    NdisWaitEvent(&R->Done, 0);
#endif
    RaceFreeItem(R);
    RaceFree(R->Buffer);
}
