/* Broken on purpose: the ISR of the line claims every interrupt. */
/*
 * The interrupt: messages when NDIS grants them, the line otherwise. Both ways the ISR masks the whole NIC and keeps
 * the causes; the DPC handles them and takes the mask off.
 */
#include "nic.h"

static MINIPORT_ISR NicInterrupt;
static MINIPORT_INTERRUPT_DPC NicInterruptDpc;
static MINIPORT_DISABLE_INTERRUPT NicDisableInterrupt;
static MINIPORT_ENABLE_INTERRUPT NicEnableInterrupt;
static MINIPORT_MESSAGE_INTERRUPT NicMessageInterrupt;
static MINIPORT_MESSAGE_INTERRUPT_DPC NicMessageInterruptDpc;
static MINIPORT_DISABLE_MESSAGE_INTERRUPT NicDisableMessageInterrupt;
static MINIPORT_ENABLE_MESSAGE_INTERRUPT NicEnableMessageInterrupt;
static MINIPORT_SYNCHRONIZE_INTERRUPT NicSynchronizeOff;
static MINIPORT_SYNCHRONIZE_INTERRUPT NicSynchronizeOn;

/*
 * Rule interrupt-registered-too-early: the registers are mapped, the rings and locks exist. The ISR may run before this
 * returns, for another device on the line.
 */
NDIS_STATUS NicAcquireInterrupt(PNIC_ADAPTER Adapter)
{
    NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS Characteristics;
    NDIS_STATUS Status;

    NdisZeroMemory(&Characteristics, sizeof(Characteristics));
    Characteristics.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT;
    Characteristics.Header.Revision = NDIS_MINIPORT_INTERRUPT_REVISION_1;
    Characteristics.Header.Size = NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1;

    /* Rule msi-without-line-handlers: NDIS may grant the line only. */
    Characteristics.InterruptHandler = NicInterrupt;
    Characteristics.InterruptDpcHandler = NicInterruptDpc;
    Characteristics.DisableInterruptHandler = NicDisableInterrupt;
    Characteristics.EnableInterruptHandler = NicEnableInterrupt;
    Characteristics.MsiSupported = TRUE;
    Characteristics.MsiSyncWithAllMessages = TRUE;
    Characteristics.MessageInterruptHandler = NicMessageInterrupt;
    Characteristics.MessageInterruptDpcHandler = NicMessageInterruptDpc;
    Characteristics.DisableMessageInterruptHandler = NicDisableMessageInterrupt;
    Characteristics.EnableMessageInterruptHandler = NicEnableMessageInterrupt;

    Status = NdisMRegisterInterruptEx(Adapter->AdapterHandle, Adapter, &Characteristics, &Adapter->InterruptHandle);
    if (Status != NDIS_STATUS_SUCCESS) {
        Adapter->InterruptHandle = NULL;
        NdisWriteErrorLogEntry(Adapter->AdapterHandle, NDIS_ERROR_CODE_INTERRUPT_CONNECT, 1, (ULONG)Status);
        return Status;
    }
    /* Rule init-misses-interrupt-type. */
    Adapter->InterruptType = Characteristics.InterruptType;
    return NDIS_STATUS_SUCCESS;
}

/* Rule halt-leaks-interrupt. When this returns no ISR and no DPC of ours runs, nor will. */
VOID NicReleaseInterrupt(PNIC_ADAPTER Adapter)
{
    NdisMDeregisterInterruptEx(Adapter->InterruptHandle);
    Adapter->InterruptHandle = NULL;
}

/* <= DISPATCH_LEVEL */
VOID NicEnableInterrupts(PNIC_ADAPTER Adapter)
{
    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->InterruptsOn = TRUE;
    NicWrite(Adapter, NIC_IMS, NIC_CAUSE_ALL);
    NdisReleaseSpinLock(&Adapter->Lock);
}

/* <= DISPATCH_LEVEL. From here on the DPC leaves the NIC masked. */
VOID NicDisableInterrupts(PNIC_ADAPTER Adapter)
{
    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->InterruptsOn = FALSE;
    NicWrite(Adapter, NIC_IMC, NIC_CAUSE_ALL);
    NdisReleaseSpinLock(&Adapter->Lock);
}

/* Rule hw-access-in-d3: the ISR of a shared line must see that the registers are off limits. */
VOID NicSetHardwareOff(PNIC_ADAPTER Adapter, BOOLEAN Off)
{
    NdisMSynchronizeWithInterruptEx(Adapter->InterruptHandle, 0, Off ? NicSynchronizeOff : NicSynchronizeOn, Adapter);
}

static BOOLEAN NicSynchronizeOff(NDIS_HANDLE Context)
{
    PNIC_ADAPTER Adapter = Context;

    Adapter->HardwareOff = TRUE;
    return TRUE;
}

static BOOLEAN NicSynchronizeOn(NDIS_HANDLE Context)
{
    PNIC_ADAPTER Adapter = Context;

    Adapter->HardwareOff = FALSE;
    return TRUE;
}

/*
 * DIRQL. Rule isr-claims-foreign-interrupt: with everything masked the NIC cannot have interrupted, and then ICR is not
 * read either, for reading it clears the causes.
 */
static BOOLEAN NicTakeCauses(PNIC_ADAPTER Adapter)
{
    ULONG Causes;

    if (!NicHardwareReady(Adapter) || NicRead(Adapter, NIC_IMS) == 0) {
        return FALSE;
    }
    Causes = NicRead(Adapter, NIC_ICR);
    if (Causes == 0 || Causes == NIC_GONE) {
        return FALSE;
    }
    NicWrite(Adapter, NIC_IMC, NIC_CAUSE_ALL);
    InterlockedOr(&Adapter->Causes, Causes);
    return TRUE;
}

/* DISPATCH_LEVEL */
static VOID NicHandleCauses(PNIC_ADAPTER Adapter)
{
    ULONG Causes = (ULONG)InterlockedExchange(&Adapter->Causes, 0);

    if (Causes & NIC_CAUSE_RX) {
        NicHandleReceive(Adapter);
    }
    if (Causes & NIC_CAUSE_TX) {
        NicHandleTransmit(Adapter);
    }
    if (Causes & NIC_CAUSE_LINK) {
        NicSettleLink(Adapter);
    }
    /* The tick has done its work by coming: it shows that the NIC is alive. */

    NdisDprAcquireSpinLock(&Adapter->Lock);
    if (Adapter->InterruptsOn) {
        NicWrite(Adapter, NIC_IMS, NIC_CAUSE_ALL);
    }
    NdisDprReleaseSpinLock(&Adapter->Lock);
}

static BOOLEAN NicInterrupt(NDIS_HANDLE Context, PBOOLEAN QueueDefaultDpc, PULONG TargetProcessors)
{
    BOOLEAN Ours = NicTakeCauses(Context);

    *QueueDefaultDpc = Ours;
    *TargetProcessors = 0;
    return TRUE;
}

static VOID NicInterruptDpc(NDIS_HANDLE Context, PVOID DpcContext, PVOID ReceiveThrottle, PVOID Reserved)
{
    UNREFERENCED_PARAMETER(DpcContext);
    UNREFERENCED_PARAMETER(ReceiveThrottle);
    UNREFERENCED_PARAMETER(Reserved);

    NicHandleCauses(Context);
}

/* A message is nobody else's. */
static BOOLEAN NicMessageInterrupt(NDIS_HANDLE Context, ULONG MessageId, PBOOLEAN QueueDefaultDpc,
                                   PULONG TargetProcessors)
{
    UNREFERENCED_PARAMETER(MessageId);

    *QueueDefaultDpc = NicTakeCauses(Context);
    *TargetProcessors = 0;
    return TRUE;
}

static VOID NicMessageInterruptDpc(NDIS_HANDLE Context, ULONG MessageId, PVOID DpcContext, PVOID ReceiveThrottle,
                                   PVOID Reserved)
{
    UNREFERENCED_PARAMETER(MessageId);
    UNREFERENCED_PARAMETER(DpcContext);
    UNREFERENCED_PARAMETER(ReceiveThrottle);
    UNREFERENCED_PARAMETER(Reserved);

    NicHandleCauses(Context);
}

/* The four below run at DIRQL, for NDIS. */
static VOID NicDisableInterrupt(NDIS_HANDLE Context)
{
    NicWrite(Context, NIC_IMC, NIC_CAUSE_ALL);
}

static VOID NicEnableInterrupt(NDIS_HANDLE Context)
{
    PNIC_ADAPTER Adapter = Context;

    if (Adapter->InterruptsOn) {
        NicWrite(Adapter, NIC_IMS, NIC_CAUSE_ALL);
    }
}

static VOID NicDisableMessageInterrupt(NDIS_HANDLE Context, ULONG MessageId)
{
    UNREFERENCED_PARAMETER(MessageId);

    NicDisableInterrupt(Context);
}

static VOID NicEnableMessageInterrupt(NDIS_HANDLE Context, ULONG MessageId)
{
    UNREFERENCED_PARAMETER(MessageId);

    NicEnableInterrupt(Context);
}
