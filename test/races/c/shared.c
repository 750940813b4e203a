/* All adapters of the driver are on one list; the timer of a later one goes through it. */
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
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Init);
    KeAcquireSpinLock(&AllLock, &Irql);
    R->Next = All;
    All = R;
    KeReleaseSpinLock(&AllLock, Irql);
    return R->Next == NULL ? NDIS_STATUS_SUCCESS : RaceStartTimer(R, Tick, 0);
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
