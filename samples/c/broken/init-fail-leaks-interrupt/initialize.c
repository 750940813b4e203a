/* Broken on purpose: a failure to get the NDIS ports undoes all but the interrupt. */
/*
 * Initialize: one step after the other; a step that fails undoes the ones before it, in reverse, with the functions
 * that halt uses (rules init-fail-leaks-*, init-fail-then-halt: NDIS does not call halt for us).
 */
#include "nic.h"

/* The registers, the ports; the interrupt is NDIS's business. */
static NDIS_STATUS NicFindResources(PNIC_ADAPTER Adapter, PNDIS_RESOURCE_LIST Resources)
{
    ULONG Index;

    for (Index = 0; Resources != NULL && Index < Resources->Count; Index++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor = &Resources->PartialDescriptors[Index];

        if (Descriptor->Type == CmResourceTypeMemory && Descriptor->u.Memory.Length >= NIC_REGISTERS_LENGTH) {
            Adapter->RegistersAddress = Descriptor->u.Memory.Start;
            Adapter->RegistersLength = NIC_REGISTERS_LENGTH;
        } else if (Descriptor->Type == CmResourceTypePort && Descriptor->u.Port.Length >= NIC_PORTS_COUNT) {
            Adapter->PortsAddress = Descriptor->u.Port.Start.LowPart;
            Adapter->PortsLength = NIC_PORTS_COUNT;
        }
    }
    if (Adapter->RegistersLength == 0 || Adapter->PortsLength == 0) {
        NdisWriteErrorLogEntry(Adapter->AdapterHandle, NDIS_ERROR_CODE_RESOURCE_CONFLICT, 0);
        return NDIS_STATUS_RESOURCES;
    }
    return NDIS_STATUS_SUCCESS;
}

/* Nothing here can fail. */
static VOID NicStart(PNIC_ADAPTER Adapter)
{
    NicProgramHardware(Adapter);
    NicStartWork(Adapter);
    NicStartTimers(Adapter);
    NicEnableInterrupts(Adapter);
}

/* Rule init-returns-undocumented-status: initialize may return four values only. */
static NDIS_STATUS NicDocumentedStatus(NDIS_STATUS Status)
{
    switch (Status) {
    case NDIS_STATUS_SUCCESS:
    case NDIS_STATUS_NOT_ACCEPTED:
    case NDIS_STATUS_RESOURCES:
        return Status;
    default:
        return NDIS_STATUS_FAILURE;
    }
}

/* PASSIVE_LEVEL */
NDIS_STATUS NicInitialize(NDIS_HANDLE AdapterHandle, NDIS_HANDLE DriverContext,
                          PNDIS_MINIPORT_INIT_PARAMETERS Parameters)
{
    PNIC_ADAPTER Adapter;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(DriverContext);

    Adapter = NicAllocateAdapter(AdapterHandle);
    if (Adapter == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    Status = NicSetRegistrationAttributes(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto FreeAdapter;
    }
    Status = NicFindResources(Adapter, Parameters->AllocatedResources);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto FreeAdapter;
    }
    Status = NicReadConfiguration(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto FreeAdapter;
    }
    Status = NicAcquireMemory(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto FreeAdapter;
    }
    Status = NicAcquirePools(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto ReleaseMemory;
    }
    Status = NicAcquireTimers(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto ReleasePools;
    }
    Status = NicAcquireWorkItem(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto ReleaseTimers;
    }
    Status = NicAcquireIoPorts(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto ReleaseWorkItem;
    }
    Status = NicAcquireIoSpace(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto ReleaseIoPorts;
    }

    /* From here on the hardware has been touched, so giving up means stopping it. */
    Status = NicResetHardware(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto StopHardware;
    }
    Status = NicReadEeprom(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto StopHardware;
    }
    NicUpdateLink(Adapter);
    Adapter->ReportedUp = Adapter->LinkUp;
    Adapter->ReportedSpeed = Adapter->LinkSpeed;
    Status = NicSetGeneralAttributes(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto StopHardware;
    }

    Status = NicAcquireDma(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto StopHardware;
    }
    Status = NicAcquireSharedMemory(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto ReleaseDma;
    }
    Status = NicAcquireReceiveBuffers(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto ReleaseSharedMemory;
    }
    NicAcquireExtraBuffers(Adapter);

    Status = NicAcquireInterrupt(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto ReleaseExtraBuffers;
    }
    Status = NicAcquirePorts(Adapter);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto ReleaseExtraBuffers;
    }

    NicStart(Adapter);
    return NDIS_STATUS_SUCCESS;

ReleaseExtraBuffers:
    NicReleaseExtraBuffers(Adapter);
    NicReleaseReceiveBuffers(Adapter);
ReleaseSharedMemory:
    NicReleaseSharedMemory(Adapter);
ReleaseDma:
    NicReleaseDma(Adapter);
StopHardware:
    NicStopHardware(Adapter);
    NicReleaseIoSpace(Adapter);
ReleaseIoPorts:
    NicReleaseIoPorts(Adapter);
ReleaseWorkItem:
    NicReleaseWorkItem(Adapter);
ReleaseTimers:
    NicReleaseTimers(Adapter);
ReleasePools:
    NicReleasePools(Adapter);
ReleaseMemory:
    NicReleaseMemory(Adapter);
FreeAdapter:
    NicFreeAdapter(Adapter);
    return NicDocumentedStatus(Status);
}
