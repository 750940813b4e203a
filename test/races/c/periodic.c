/* A periodic NDIS timer that queues a work item; one of them at a time. */
#define RACE_MEMBERS FRAME_JOB Job;
#include "race.h"

static VOID Work(PVOID Context, NDIS_HANDLE Item)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(Item);
    R->Count++;
    FrameJobEnd(&R->Job);
}

static VOID Tick(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
    if (FrameJobBegin(&R->Job)) {
        NdisQueueIoWorkItem(R->Item, Work, R);
    }
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    UNREFERENCED_PARAMETER(Init);
    FrameJobInitialize(&R->Job);
    R->Item = NdisAllocateIoWorkItem(R->Simple.Handle);
    return R->Item == NULL ? NDIS_STATUS_RESOURCES : RaceStartTimer(R, Tick, 2000);
}

static VOID RaceEnd(PRACE R)
{
#ifdef SEED_WAITS_FIRST
    FrameJobWait(&R->Job);
#endif
    RaceStopTimer(R); /* periodic: the last tick is over when it returns */
#ifndef SEED_WAITS_FIRST
    FrameJobWait(&R->Job);
#endif
    RaceFreeItem(R);
}
