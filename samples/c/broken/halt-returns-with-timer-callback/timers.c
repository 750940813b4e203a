/*
 * Broken on purpose: when the one-shot timer cannot be cancelled any more, nobody waits for its callback; its object
 * is left behind.
 */
/*
 * Two timer objects: a periodic one that polls the link, and a one-shot one that lets the link settle after an
 * interrupt reported a change.
 */
#include "nic.h"

static NDIS_TIMER_FUNCTION NicPoll;
static NDIS_TIMER_FUNCTION NicLinkSettled;

static NDIS_STATUS NicAllocateTimer(PNIC_ADAPTER Adapter, PNDIS_TIMER_FUNCTION Function, PNDIS_HANDLE Timer)
{
    NDIS_TIMER_CHARACTERISTICS Characteristics;
    NDIS_STATUS Status;

    NdisZeroMemory(&Characteristics, sizeof(Characteristics));
    Characteristics.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
    Characteristics.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
    Characteristics.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
    Characteristics.AllocationTag = NIC_TAG;
    Characteristics.TimerFunction = Function;
    Characteristics.FunctionContext = Adapter;

    Status = NdisAllocateTimerObject(Adapter->AdapterHandle, &Characteristics, Timer);
    if (Status != NDIS_STATUS_SUCCESS) {
        *Timer = NULL;
    }
    return Status;
}

NDIS_STATUS NicAcquireTimers(PNIC_ADAPTER Adapter)
{
    NDIS_STATUS Status;

    Status = NicAllocateTimer(Adapter, NicPoll, &Adapter->PollTimer);
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = NicAllocateTimer(Adapter, NicLinkSettled, &Adapter->LinkTimer);
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        NicReleaseTimers(Adapter);
    }
    return Status;
}

VOID NicStartTimers(PNIC_ADAPTER Adapter)
{
    LARGE_INTEGER Due;

    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->TimersOn = TRUE;
    NdisReleaseSpinLock(&Adapter->Lock);

    Due.QuadPart = -10000LL * NIC_POLL_MS;
    NdisSetTimerObject(Adapter->PollTimer, Due, NIC_POLL_MS, NULL);
}

/*
 * <= DISPATCH_LEVEL. Each time the one-shot timer was not yet in the queue one more callback will come. Setting it with
 * Lock held keeps it from being set after NicStopTimers looked (rule timer-rearmed-during-halt).
 */
VOID NicSettleLink(PNIC_ADAPTER Adapter)
{
    LARGE_INTEGER Due;

    Due.QuadPart = -10000LL * NIC_LINK_SETTLE_MS;
    NdisAcquireSpinLock(&Adapter->Lock);
    if (Adapter->TimersOn && !NdisSetTimerObject(Adapter->LinkTimer, Due, 0, NULL)) {
        NicPendingAdd(&Adapter->LinkCallbacks, 1);
    }
    NdisReleaseSpinLock(&Adapter->Lock);
}

/*
 * PASSIVE_LEVEL, because one timer is periodic (rule irql-cancel-periodic-timer). Afterwards no callback is queued or
 * running, and none can be set.
 */
VOID NicStopTimers(PNIC_ADAPTER Adapter)
{
    BOOLEAN WereOn;

    NdisAcquireSpinLock(&Adapter->Lock);
    WereOn = Adapter->TimersOn;
    Adapter->TimersOn = FALSE;
    NdisReleaseSpinLock(&Adapter->Lock);
    if (!WereOn) {
        return;
    }

    /* Rule halt-leaves-timer-set. NDIS drains a periodic timer in the call. */
    NdisCancelTimerObject(Adapter->PollTimer);

    /*
     * Rule halt-returns-with-timer-callback: for a one-shot timer the waiting is ours. TRUE: taken from the queue, its
     * callback will not come. FALSE: it was not set, has run, or is yet to run; the count knows.
     */
    if (NdisCancelTimerObject(Adapter->LinkTimer)) {
        NdisAcquireSpinLock(&Adapter->Lock);
        NicPendingRemove(&Adapter->LinkCallbacks, 1);
        NdisReleaseSpinLock(&Adapter->Lock);
    }
}

/* Rules halt-leaks-timer-object, timer-freed-while-active: NicStopTimers came first. */
VOID NicReleaseTimers(PNIC_ADAPTER Adapter)
{
    if (Adapter->LinkTimer != NULL && Adapter->LinkCallbacks.Count == 0) {
        NdisFreeTimerObject(Adapter->LinkTimer);
        Adapter->LinkTimer = NULL;
    }
    if (Adapter->PollTimer != NULL) {
        NdisFreeTimerObject(Adapter->PollTimer);
        Adapter->PollTimer = NULL;
    }
}

/* DISPATCH_LEVEL */
static VOID NicPoll(PVOID Reserved1, PVOID Context, PVOID Reserved2, PVOID Reserved3)
{
    PNIC_ADAPTER Adapter = Context;

    UNREFERENCED_PARAMETER(Reserved1);
    UNREFERENCED_PARAMETER(Reserved2);
    UNREFERENCED_PARAMETER(Reserved3);

    NicUpdateLink(Adapter);
}

/* DISPATCH_LEVEL */
static VOID NicLinkSettled(PVOID Reserved1, PVOID Context, PVOID Reserved2, PVOID Reserved3)
{
    PNIC_ADAPTER Adapter = Context;

    UNREFERENCED_PARAMETER(Reserved1);
    UNREFERENCED_PARAMETER(Reserved2);
    UNREFERENCED_PARAMETER(Reserved3);

    NicUpdateLink(Adapter);

    /* Last: whoever waits may go on from here. */
    NdisAcquireSpinLock(&Adapter->Lock);
    NicPendingRemove(&Adapter->LinkCallbacks, 1);
    NdisReleaseSpinLock(&Adapter->Lock);
}
