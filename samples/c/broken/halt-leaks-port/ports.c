/* Broken on purpose: halt deactivates the additional port but does not free it. */
/* NDIS ports: one more port besides the default one, and the default port, which this driver controls. */
#include "nic.h"

static VOID NicDescribeEvent(PNET_PNP_EVENT_NOTIFICATION Event, NET_PNP_EVENT_CODE Code, PVOID Buffer, ULONG Length)
{
    NdisZeroMemory(Event, sizeof(*Event));
    Event->Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Event->Header.Revision = NET_PNP_EVENT_NOTIFICATION_REVISION_1;
    Event->Header.Size = NDIS_SIZEOF_NET_PNP_EVENT_NOTIFICATION_REVISION_1;
    Event->NetPnPEvent.NetEvent = Code;
    Event->NetPnPEvent.Buffer = Buffer;
    Event->NetPnPEvent.BufferLength = Length;
}

static VOID NicDescribePort(PNDIS_PORT Port)
{
    PNDIS_PORT_CHARACTERISTICS Characteristics = &Port->PortCharacteristics;

    NdisZeroMemory(Port, sizeof(*Port));
    Characteristics->Header.Type = NDIS_OBJECT_TYPE_PORT_CHARACTERISTICS;
    Characteristics->Header.Revision = NDIS_PORT_CHARACTERISTICS_REVISION_1;
    Characteristics->Header.Size = NDIS_SIZEOF_PORT_CHARACTERISTICS_REVISION_1;
    Characteristics->Flags = NDIS_PORT_CHAR_USE_DEFAULT_AUTH_SETTINGS;
    Characteristics->Type = NdisPortTypeUndefined;
    Characteristics->MediaConnectState = MediaConnectStateUnknown;
    Characteristics->XmitLinkSpeed = NDIS_LINK_SPEED_UNKNOWN;
    Characteristics->RcvLinkSpeed = NDIS_LINK_SPEED_UNKNOWN;
    Characteristics->Direction = NET_IF_DIRECTION_SENDRECEIVE;
    Characteristics->SendControlState = NdisPortControlStateUncontrolled;
    Characteristics->RcvControlState = NdisPortControlStateUncontrolled;
    Characteristics->SendAuthorizationState = NdisPortAuthorized;
    Characteristics->RcvAuthorizationState = NdisPortAuthorized;
}

/* One port at a time: the default port must be alone in its list. */
static NDIS_STATUS NicActivatePort(PNIC_ADAPTER Adapter, PNDIS_PORT Port)
{
    NET_PNP_EVENT_NOTIFICATION Event;

    NicDescribeEvent(&Event, NetEventPortActivation, Port, sizeof(*Port));
    return NdisMNetPnPEvent(Adapter->AdapterHandle, &Event);
}

static VOID NicDeactivatePort(PNIC_ADAPTER Adapter, NDIS_PORT_NUMBER Number)
{
    NET_PNP_EVENT_NOTIFICATION Event;

    NicDescribeEvent(&Event, NetEventPortDeactivation, &Number, sizeof(Number));
    NdisMNetPnPEvent(Adapter->AdapterHandle, &Event);
}

/* The default port comes last: activating it lets the protocols bind. */
NDIS_STATUS NicAcquirePorts(PNIC_ADAPTER Adapter)
{
    NDIS_PORT DefaultPort;
    NDIS_STATUS Status;

    NicDescribePort(&Adapter->Port);
    Status = NdisMAllocatePort(Adapter->AdapterHandle, &Adapter->Port.PortCharacteristics);
    if (Status != NDIS_STATUS_SUCCESS) {
        return Status;
    }
    Adapter->PortAllocated = TRUE;

    Status = NicActivatePort(Adapter, &Adapter->Port);
    if (Status == NDIS_STATUS_SUCCESS) {
        Adapter->PortActive = TRUE;

        NicDescribePort(&DefaultPort);
        DefaultPort.PortCharacteristics.PortNumber = NDIS_DEFAULT_PORT_NUMBER;
        Status = NicActivatePort(Adapter, &DefaultPort);
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        NicReleasePorts(Adapter);
        return Status;
    }
    Adapter->DefaultPortActive = TRUE;
    return NDIS_STATUS_SUCCESS;
}

/*
 * PASSIVE_LEVEL. The adapter is paused, so no receive or status indication is running on a port and none will begin
 * (rule port-deactivate-with-traffic). NDIS frees the default port itself (port-free-default).
 */
VOID NicReleasePorts(PNIC_ADAPTER Adapter)
{
    NDIS_PORT_NUMBER Number = Adapter->Port.PortCharacteristics.PortNumber;

    /* Rule halt-leaves-default-port-active. */
    if (Adapter->DefaultPortActive) {
        NicDeactivatePort(Adapter, NDIS_DEFAULT_PORT_NUMBER);
        Adapter->DefaultPortActive = FALSE;
    }
    /* Rule port-free-active: first inactive, then free. */
    if (Adapter->PortActive) {
        NicDeactivatePort(Adapter, Number);
        Adapter->PortActive = FALSE;
    }
    /* Freed only when initialize fails. */
    if (Adapter->PortAllocated && !Adapter->Halting) {
        NdisMFreePort(Adapter->AdapterHandle, Number);
        Adapter->PortAllocated = FALSE;
    }
}
