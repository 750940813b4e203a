/* All adapters of the driver are on one list; each has a timer that goes through it. */
#define RACE_MEMBERS struct _RACE *Next;
#include "race.h"

static PRACE All;
static KSPIN_LOCK AllLock; /* zero is free */

static VOID Tick(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    PRACE R = Context, Other;
    ULONG Adapters = 0;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
#ifndef SEED_LIST_UNLOCKED
    KeAcquireSpinLockAtDpcLevel(&AllLock);
#endif
    for (Other = All; Other != NULL; Other = Other->Next) {
        LARGE_INTEGER Now;

        NdisGetSystemUpTimeEx(&Now);
        Other->Simple.Oids.Received = (ULONG64)Now.QuadPart;
        Adapters++;
    }
#ifndef SEED_LIST_UNLOCKED
    KeReleaseSpinLockFromDpcLevel(&AllLock);
#endif
    R->Count = (LONG)Adapters;
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NDIS_STATUS Status = RaceStartTimer(R, Tick, 0);
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Init);
    if (Status == NDIS_STATUS_SUCCESS) {
        KeAcquireSpinLock(&AllLock, &Irql);
        R->Next = All;
        All = R;
        KeReleaseSpinLock(&AllLock, Irql);
    }
    return Status;
}

static VOID RaceEnd(PRACE R)
{
    PRACE *Link;
    KIRQL Irql;

    RaceStopTimer(R);
    KeAcquireSpinLock(&AllLock, &Irql);
    for (Link = &All; *Link != NULL; Link = &(*Link)->Next) {
        if (*Link == R) {
            *Link = R->Next;
            break;
        }
    }
    KeReleaseSpinLock(&AllLock, Irql);
}
