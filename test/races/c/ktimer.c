/* A KTIMER whose KDPC lies in the adapter. */
#define RACE_MEMBERS KTIMER Kernel; KDPC Dpc;
#include "race.h"

static VOID Tick(PKDPC Dpc, PVOID Context, PVOID A, PVOID B)
{
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    ((PRACE)Context)->Count++;
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    LARGE_INTEGER Due;

    UNREFERENCED_PARAMETER(Init);
    KeInitializeTimer(&R->Kernel);
    KeInitializeDpc(&R->Dpc, Tick, R);
    Due.QuadPart = -2000 * 10000LL;
    KeSetTimer(&R->Kernel, Due, &R->Dpc);
    return NDIS_STATUS_SUCCESS;
}

static VOID RaceEnd(PRACE R)
{
    KeCancelTimer(&R->Kernel);
#ifndef SEED_DPC_FORGOTTEN
    KeFlushQueuedDpcs();
#endif
}
