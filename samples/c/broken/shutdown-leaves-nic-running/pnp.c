/* Broken on purpose: shutdown masks the interrupts but does not reset the NIC. */
/* Power, plug and play events, shutdown. */
#include "nic.h"

/*
 * PASSIVE_LEVEL. Rules hw-access-in-d3, lowpower-timers-not-cancelled: timers, interrupts and work end before the
 * registers become off limits, and DPCs that saw them on are awaited.
 */
static VOID NicPowerDown(PNIC_ADAPTER Adapter)
{
    if (Adapter->HardwareOff) {
        return;
    }
    NicStopTimers(Adapter);
    NicDisableInterrupts(Adapter);
    NicStopWork(Adapter);
    NicStopHardware(Adapter);
    NicSetHardwareOff(Adapter, TRUE);
    KeFlushQueuedDpcs();
}

/* PASSIVE_LEVEL. The NIC has forgotten everything. */
static NDIS_STATUS NicPowerUp(PNIC_ADAPTER Adapter)
{
    if (!Adapter->HardwareOff) {
        return NDIS_STATUS_SUCCESS;
    }
    NicSetHardwareOff(Adapter, FALSE);
    if (NicResetHardware(Adapter) != NDIS_STATUS_SUCCESS) {
        NicSetHardwareOff(Adapter, TRUE);
        return NDIS_STATUS_NOT_ACCEPTED;
    }
    NicAbortRing(Adapter, NDIS_STATUS_SEND_ABORTED); /* empty since the pause; this sets it back to descriptor 0 */
    NicProgramHardware(Adapter);
    NicStartWork(Adapter);
    NicStartTimers(Adapter);
    NicEnableInterrupts(Adapter);
    return NDIS_STATUS_SUCCESS;
}

/* Rule oid-must-succeed-failed: NOT_ACCEPTED is the only failure there is, and only for hardware that is gone. */
NDIS_STATUS NicSetPower(PNIC_ADAPTER Adapter, NDIS_DEVICE_POWER_STATE PowerState)
{
    if (PowerState == NdisDeviceStateD0) {
        return NicPowerUp(Adapter);
    }
    NicPowerDown(Adapter);
    return NDIS_STATUS_SUCCESS;
}

/*
 * PASSIVE_LEVEL. After a surprise removal no register is used, and what the NIC would have sent ends here
 * (rule surprise-removal-requests-not-rejected).
 */
VOID NicDevicePnPEventNotify(NDIS_HANDLE Context, PNET_DEVICE_PNP_EVENT Event)
{
    PNIC_ADAPTER Adapter = Context;

    if (Event->DevicePnPEvent == NdisDevicePnPEventSurpriseRemoved) {
        NdisAcquireSpinLock(&Adapter->Lock);
        Adapter->Removed = TRUE;
        NdisReleaseSpinLock(&Adapter->Lock);

        NicAbortWaiting(Adapter, NDIS_STATUS_NOT_ACCEPTED);
        NicAbortRing(Adapter, NDIS_STATUS_NOT_ACCEPTED);
    }
}

/*
 * PASSIVE_LEVEL for a power-off, HIGH_LEVEL for a bug check, when neither locks nor waits are allowed. It only puts the
 * NIC back into its initial state (rules shutdown-leaves-nic-running, shutdown-calls-ndis, shutdown-frees-resources),
 * and not even that while halt is at it (shutdown-nested-in-halt).
 */
VOID NicShutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    PNIC_ADAPTER Adapter = Context;

    if (Adapter->Halting || !NicHardwareReady(Adapter)) {
        return;
    }
    if (Action == NdisShutdownPowerOff) {
        NicDisableInterrupts(Adapter);
    } else {
        Adapter->InterruptsOn = FALSE;
    }
    NicWrite(Adapter, NIC_IMC, NIC_CAUSE_ALL);
    NdisRawWritePortUchar((ULONG_PTR)Adapter->PortOffset + NIC_PORT_WAKE, 0);
}
