/* Broken on purpose: halt forgets its periodic timer, which stays set; the one-shot one it takes care of. */
/* Halt: everything initialize did and everything that came later, undone. The order is the reverse of initialize's. */
#include "nic.h"

/*
 * PASSIVE_LEVEL. NDIS has paused the adapter; no request, no send is outstanding, and none will come. Why it is halted
 * matters for the hardware only: the rest is given back always (rules halt-ignores-action,
 * powered-down-halt-keeps-resources).
 */
VOID NicHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PNIC_ADAPTER Adapter = Context;
    BOOLEAN WereOn;

    Adapter->Halting = TRUE;
    if (Action == NdisHaltDeviceSurpriseRemoved) {
        /* Rule halt-touches-removed-hardware: the register functions do nothing from now on. */
        Adapter->Removed = TRUE;
    }

    /* Rule halt-deregisters-with-nic-interrupting: the NIC is masked first. */
    NicDisableInterrupts(Adapter);

    NdisAcquireSpinLock(&Adapter->Lock);
    WereOn = Adapter->TimersOn;
    Adapter->TimersOn = FALSE;
    NdisReleaseSpinLock(&Adapter->Lock);
    if (NdisCancelTimerObject(Adapter->LinkTimer)) {
        NdisAcquireSpinLock(&Adapter->Lock);
        NicPendingRemove(&Adapter->LinkCallbacks, 1);
        NdisReleaseSpinLock(&Adapter->Lock);
    }
    NicPendingWait(Adapter, &Adapter->LinkCallbacks);
    KeFlushQueuedDpcs();
    NdisFreeTimerObject(Adapter->LinkTimer);
    if (!WereOn) {
        NdisFreeTimerObject(Adapter->PollTimer);
    }

    NicReleasePorts(Adapter);

    /* Rule halt-deregisters-interrupt-late: before anything that the ISR or its DPC uses is given back. */
    NicReleaseInterrupt(Adapter);

    /* Rule halt-returns-with-async-work. Nobody is left to queue more. */
    NicStopWork(Adapter);

    /* Rule halt-returns-before-nbls-returned. A correct pause has seen to it already; waiting again costs nothing. */
    NicPendingWait(Adapter, &Adapter->DataPath);

    /* Rules halt-leaves-nic-running and, since memory is freed next, halt-frees-memory-under-dma. */
    NicStopHardware(Adapter);

    NicReleaseExtraBuffers(Adapter);
    NicReleaseReceiveBuffers(Adapter);
    NicReleaseSharedMemory(Adapter);
    NicReleaseDma(Adapter);
    NicReleaseIoSpace(Adapter);
    NicReleaseIoPorts(Adapter);
    NicReleaseWorkItem(Adapter);
    NicReleasePools(Adapter);
    NicReleaseMemory(Adapter);
    NicFreeAdapter(Adapter);
}
