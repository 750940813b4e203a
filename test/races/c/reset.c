/* Resets are done by a work item; halt waits until it is over. */
#define RACE_MEMBERS FRAME_JOB Job;
#define RACE_HANDLERS
#include "race.h"

static VOID Work(PVOID Context, NDIS_HANDLE Item)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(Item);
    NdisMSleep(1000);
    NdisMResetComplete(R->Simple.Handle, NDIS_STATUS_SUCCESS, FALSE);
    R->Count++;
    FrameJobEnd(&R->Job);
}

static NDIS_STATUS Reset(NDIS_HANDLE Context, PBOOLEAN AddressingReset)
{
    PRACE R = Context;

    *AddressingReset = FALSE;
    if (!FrameJobBegin(&R->Job)) {
        return NDIS_STATUS_RESET_IN_PROGRESS;
    }
    NdisQueueIoWorkItem(R->Item, Work, R);
    return NDIS_STATUS_PENDING;
}

static VOID RaceHandlers(PNDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars)
{
    Chars->ResetHandlerEx = Reset;
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    UNREFERENCED_PARAMETER(Init);
    FrameJobInitialize(&R->Job);
    R->Item = NdisAllocateIoWorkItem(R->Simple.Handle);
    return R->Item == NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
}

static VOID RaceEnd(PRACE R)
{
#ifndef SEED_COMPLETED_IS_OVER
    FrameJobWait(&R->Job);
#endif
    RaceFreeItem(R);
}
