/* A message interrupt: nobody else's, but it may be on its way when the board is stopped. */
#define RACE_HANDLERS
#include "interrupt.h"

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    return Connect(R, Init, TRUE);
}

static VOID RaceEnd(PRACE R)
{
#ifdef SEED_COUNTS_FIRST
    RaceFree(R->IsrCounts);
#endif
    Quiet(R);
#ifdef SEED_QUEUED_DPC
    RaceFree(R->DpcCounts); /* the board is quiet */
#endif
    Disconnect(R);
    Unmap(R);
#ifndef SEED_COUNTS_FIRST
    RaceFree(R->IsrCounts);
#endif
#ifndef SEED_QUEUED_DPC
    RaceFree(R->DpcCounts);
#endif
}

static VOID RaceHandlers(PNDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars)
{
    Chars->ShutdownHandlerEx = Shutdown;
}
