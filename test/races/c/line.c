/* A line interrupt, perhaps shared with another device's. */
#define RACE_HANDLERS
#include "interrupt.h"

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    return Connect(R, Init, FALSE);
}

static VOID RaceEnd(PRACE R)
{
#ifdef SEED_MAPPING_FIRST
    PUCHAR Bar = R->Bar;

    Quiet(R);
    if (Bar != NULL) {
        NdisMUnmapIoSpace(R->Simple.Handle, Bar, BOARD_REGISTERS);
    }
    Disconnect(R);
    RaceFree(R->IsrCounts);
#elif defined(SEED_COUNTS_FIRST)
    RaceFree(R->IsrCounts);
    Quiet(R);
    Disconnect(R);
    Unmap(R);
#else
    Quiet(R);
    Disconnect(R);
    Unmap(R);
    RaceFree(R->IsrCounts);
#endif
    RaceFree(R->DpcCounts);
}

static VOID RaceHandlers(PNDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars)
{
    Chars->ShutdownHandlerEx = Shutdown;
}
