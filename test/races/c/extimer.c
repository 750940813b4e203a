/* An EX_TIMER whose callback uses the adapter. */
#define RACE_MEMBERS PEX_TIMER Ex;
#include "race.h"

static VOID Tick(PEX_TIMER Timer, PVOID Context)
{
    UNREFERENCED_PARAMETER(Timer);
    ((PRACE)Context)->Count++;
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    UNREFERENCED_PARAMETER(Init);
    R->Ex = ExAllocateTimer(Tick, R, 0);
    if (R->Ex == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    ExSetTimer(R->Ex, -2000 * 10000LL, 0, NULL);
    return NDIS_STATUS_SUCCESS;
}

static VOID RaceEnd(PRACE R)
{
    if (R->Ex != NULL) {
#ifdef SEED_DELETED_WITHOUT_WAIT
        ExDeleteTimer(R->Ex, TRUE, FALSE, NULL);
#else
        ExDeleteTimer(R->Ex, TRUE, TRUE, NULL);
#endif
    }
}
