/* A one-shot NDIS timer whose callback uses the adapter. */
#define RACE_MEMBERS
#include "race.h"

static VOID Tick(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
    R->Count += (LONG)R->Buffer[0];
    NdisSetEvent(&R->Done);
#ifdef SEED_SIGNALS_EARLY
    R->Count++;
#endif
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    UNREFERENCED_PARAMETER(Init);
    R->Buffer = RaceAllocate(R, 64);
    return R->Buffer == NULL ? NDIS_STATUS_RESOURCES : RaceStartTimer(R, Tick, 0);
}

static VOID RaceEnd(PRACE R)
{
    if (R->Timer != NULL) {
#ifdef SEED_CANCEL_IGNORED
        NdisCancelTimerObject(R->Timer);
#else
        if (!NdisCancelTimerObject(R->Timer)) {
            NdisWaitEvent(&R->Done, 0);
        }
#endif
        NdisFreeTimerObject(R->Timer);
    }
    RaceFree(R->Buffer);
}
