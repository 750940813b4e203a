/* Broken on purpose: nobody waits for queued work; a work item that is still queued is left for its routine to free. */
/* A work item that sets the LEDs after the link has changed: port access is slow, so not at DISPATCH_LEVEL. */
#include "nic.h"

static NDIS_IO_WORKITEM_FUNCTION NicWork;

NDIS_STATUS NicAcquireWorkItem(PNIC_ADAPTER Adapter)
{
    Adapter->WorkItem = NdisAllocateIoWorkItem(Adapter->AdapterHandle);
    return Adapter->WorkItem != NULL ? NDIS_STATUS_SUCCESS : NDIS_STATUS_RESOURCES;
}

VOID NicStartWork(PNIC_ADAPTER Adapter)
{
    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->WorkOn = TRUE;
    NdisReleaseSpinLock(&Adapter->Lock);
}

/* <= DISPATCH_LEVEL. Queued once at a time; asking while it runs makes it go round again. */
VOID NicQueueWork(PNIC_ADAPTER Adapter)
{
    BOOLEAN Queue = FALSE;

    NdisAcquireSpinLock(&Adapter->Lock);
    if (Adapter->WorkOn) {
        if (Adapter->WorkQueued) {
            Adapter->WorkAgain = TRUE;
        } else {
            Adapter->WorkQueued = TRUE;
            NicPendingAdd(&Adapter->Work, 1);
            Queue = TRUE;
        }
    }
    NdisReleaseSpinLock(&Adapter->Lock);

    if (Queue) {
        NdisQueueIoWorkItem(Adapter->WorkItem, NicWork, Adapter);
    }
}

/* PASSIVE_LEVEL */
static VOID NicWork(PVOID Context, NDIS_HANDLE WorkItem)
{
    PNIC_ADAPTER Adapter = Context;
    BOOLEAN Again;

    do {
        NicSetLeds(Adapter);

        NdisAcquireSpinLock(&Adapter->Lock);
        Again = Adapter->WorkAgain;
        Adapter->WorkAgain = FALSE;
        if (!Again) {
            /* Last: whoever waits may go on from here. */
            Adapter->WorkQueued = FALSE;
            NicPendingRemove(&Adapter->Work, 1);
        }
        NdisReleaseSpinLock(&Adapter->Lock);
    } while (Again);
    if (Adapter->Halting) {
        NdisFreeIoWorkItem(WorkItem);
    }
}

/* PASSIVE_LEVEL. Rule halt-returns-with-async-work: no more is queued, and what is queued has run. */
VOID NicStopWork(PNIC_ADAPTER Adapter)
{
    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->WorkOn = FALSE;
    NdisReleaseSpinLock(&Adapter->Lock);
}

/* Rules halt-leaks-work-item, work-item-freed-while-queued. */
VOID NicReleaseWorkItem(PNIC_ADAPTER Adapter)
{
    if (!Adapter->WorkQueued) {
        NdisFreeIoWorkItem(Adapter->WorkItem);
    }
    Adapter->WorkItem = NULL;
}
