/* Counting what is under way, and waiting until nothing is. */
#include "nic.h"

VOID NicPendingInitialize(PNIC_PENDING Pending)
{
    Pending->Count = 0;
    NdisInitializeEvent(&Pending->None);
    NdisSetEvent(&Pending->None);
}

/* The caller holds Lock. */
VOID NicPendingAdd(PNIC_PENDING Pending, LONG Count)
{
    if (Pending->Count == 0) {
        NdisResetEvent(&Pending->None);
    }
    Pending->Count += Count;
}

/* The caller holds Lock. TRUE when nothing is left. */
BOOLEAN NicPendingRemove(PNIC_PENDING Pending, LONG Count)
{
    Pending->Count -= Count;
    if (Pending->Count != 0) {
        return FALSE;
    }
    NdisSetEvent(&Pending->None);
    return TRUE;
}

/*
 * PASSIVE_LEVEL. The one who sets the event does so with Lock held; taking the lock once after the wait makes sure that
 * he has let go of it, so that the adapter may be freed.
 */
VOID NicPendingWait(PNIC_ADAPTER Adapter, PNIC_PENDING Pending)
{
    NdisWaitEvent(&Pending->None, 0);
    NdisAcquireSpinLock(&Adapter->Lock);
    NdisReleaseSpinLock(&Adapter->Lock);
}
