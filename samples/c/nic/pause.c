/* Restart and pause. Pause waits for everything that NDIS must have back. */
#include "nic.h"

#define NIC_DRAIN_POLLS 20
#define NIC_DRAIN_DELAY_US 1000

/* PASSIVE_LEVEL */
NDIS_STATUS NicRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS Parameters)
{
    PNIC_ADAPTER Adapter = Context;

    UNREFERENCED_PARAMETER(Parameters);

    if (Adapter->Removed) {
        return NDIS_STATUS_FAILURE;
    }
    /* Indications are allowed from the restart call on. */
    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->State = NicRunning;
    NdisReleaseSpinLock(&Adapter->Lock);

    NicStartDma(Adapter);
    NicReportLink(Adapter);
    return NDIS_STATUS_SUCCESS;
}

/*
 * PASSIVE_LEVEL. No frame may be left in the transmit ring. A NIC that does not send them in time is reset; that also
 * ends its DMA, so that their scatter/gather lists may go.
 */
static VOID NicStopDataPath(PNIC_ADAPTER Adapter)
{
    BOOLEAN InterruptsOn;
    ULONG Poll;

    NicAbortWaiting(Adapter, NDIS_STATUS_PAUSED);
    if (Adapter->Removed) {
        NicAbortRing(Adapter, NDIS_STATUS_NOT_ACCEPTED);
        return;
    }
    for (Poll = 0; Poll < NIC_DRAIN_POLLS && !NicTransmitRingEmpty(Adapter); Poll++) {
        NdisMSleep(NIC_DRAIN_DELAY_US);
        NicHandleTransmit(Adapter);
    }
    if (NicTransmitRingEmpty(Adapter)) {
        NicStopDma(Adapter);
        return;
    }

    NdisAcquireSpinLock(&Adapter->Lock);
    InterruptsOn = Adapter->InterruptsOn;
    NdisReleaseSpinLock(&Adapter->Lock);

    NicDisableInterrupts(Adapter);
    NicResetHardware(Adapter);
    NicAbortRing(Adapter, NDIS_STATUS_SEND_ABORTED);
    NicProgramHardware(Adapter);
    if (InterruptsOn) {
        NicEnableInterrupts(Adapter);
    }
}

/*
 * PASSIVE_LEVEL. Rules pause-fails (SUCCESS or PENDING, nothing else) and pause-frees-init-resources (what initialize
 * allocated stays; OIDs go on being answered).
 */
NDIS_STATUS NicPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS Parameters)
{
    PNIC_ADAPTER Adapter = Context;
    NDIS_STATUS Status = NDIS_STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(Parameters);

    /* A reference of our own: nobody else completes the pause before we are through. */
    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->State = NicPausing;
    NicPendingAdd(&Adapter->DataPath, 1);
    NdisReleaseSpinLock(&Adapter->Lock);

    NicStopDataPath(Adapter);

    /* Rule pause-completes-before-nbls-returned. */
    NdisAcquireSpinLock(&Adapter->Lock);
    if (NicPendingRemove(&Adapter->DataPath, 1)) {
        Adapter->State = NicPaused;
    } else {
        Adapter->PausePending = TRUE;
        Status = NDIS_STATUS_PENDING;
    }
    NdisReleaseSpinLock(&Adapter->Lock);
    return Status;
}

/*
 * <= DISPATCH_LEVEL. Whoever takes the last thing back completes a pending pause, once
 * (rule pause-complete-unexpected). After it the adapter may be halted, so nothing of it is touched.
 */
VOID NicDataPathRemove(PNIC_ADAPTER Adapter, LONG Count)
{
    NDIS_HANDLE AdapterHandle = Adapter->AdapterHandle;
    BOOLEAN Complete = FALSE;

    NdisAcquireSpinLock(&Adapter->Lock);
    if (NicPendingRemove(&Adapter->DataPath, Count) && Adapter->PausePending) {
        Adapter->PausePending = FALSE;
        Adapter->State = NicPaused;
        Complete = TRUE;
    }
    NdisReleaseSpinLock(&Adapter->Lock);

    if (Complete) {
        NdisMPauseComplete(AdapterHandle);
    }
}
