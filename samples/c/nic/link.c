/* The link: what the NIC says, and what NDIS was told. */
#include "nic.h"

/* <= DISPATCH_LEVEL; from both timers, so on two processors at once. */
VOID NicUpdateLink(PNIC_ADAPTER Adapter)
{
    ULONG Status = NicRead(Adapter, NIC_STATUS);
    ULONG Speed = NicRead(Adapter, NIC_LINK_SPEED);
    BOOLEAN Up = (Status & NIC_STATUS_LINK_UP) != 0;
    BOOLEAN Changed;

    if (Status == NIC_GONE) {
        return;
    }
    NdisAcquireSpinLock(&Adapter->Lock);
    Changed = Up != Adapter->LinkUp || Speed != Adapter->LinkSpeed;
    Adapter->LinkUp = Up;
    Adapter->LinkSpeed = Speed;
    NdisReleaseSpinLock(&Adapter->Lock);

    if (Changed) {
        NicQueueWork(Adapter);
        NicReportLink(Adapter);
    }
}

/*
 * <= DISPATCH_LEVEL. Status goes up only while running, and counts as traffic until the call returns: so there is none
 * during initialize or halt (rules status-in-halt, status-after-halt, port-deactivate-with-traffic).
 */
VOID NicReportLink(PNIC_ADAPTER Adapter)
{
    NDIS_LINK_STATE Link;
    NDIS_STATUS_INDICATION Indication;
    BOOLEAN Report;
    BOOLEAN Up;
    ULONG Speed;

    NdisAcquireSpinLock(&Adapter->Lock);
    Up = Adapter->LinkUp;
    Speed = Adapter->LinkSpeed;
    Report = Adapter->State == NicRunning && (Up != Adapter->ReportedUp || Speed != Adapter->ReportedSpeed);
    if (Report) {
        Adapter->ReportedUp = Up;
        Adapter->ReportedSpeed = Speed;
        NicPendingAdd(&Adapter->DataPath, 1);
    }
    NdisReleaseSpinLock(&Adapter->Lock);
    if (!Report) {
        return;
    }

    NdisZeroMemory(&Link, sizeof(Link));
    Link.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Link.Header.Revision = NDIS_LINK_STATE_REVISION_1;
    Link.Header.Size = NDIS_SIZEOF_LINK_STATE_REVISION_1;
    Link.MediaConnectState = Up ? MediaConnectStateConnected : MediaConnectStateDisconnected;
    Link.MediaDuplexState = Up ? MediaDuplexStateFull : MediaDuplexStateUnknown;
    Link.XmitLinkSpeed = Up ? (ULONG64)Speed * 1000000 : NDIS_LINK_SPEED_UNKNOWN;
    Link.RcvLinkSpeed = Link.XmitLinkSpeed;
    Link.PauseFunctions = NdisPauseFunctionsUnsupported;
    Link.AutoNegotiationFlags = NDIS_LINK_STATE_XMIT_LINK_SPEED_AUTO_NEGOTIATED |
                                NDIS_LINK_STATE_RCV_LINK_SPEED_AUTO_NEGOTIATED |
                                NDIS_LINK_STATE_DUPLEX_AUTO_NEGOTIATED;

    NdisZeroMemory(&Indication, sizeof(Indication));
    Indication.Header.Type = NDIS_OBJECT_TYPE_STATUS_INDICATION;
    Indication.Header.Revision = NDIS_STATUS_INDICATION_REVISION_1;
    Indication.Header.Size = NDIS_SIZEOF_STATUS_INDICATION_REVISION_1;
    Indication.SourceHandle = Adapter->AdapterHandle;
    Indication.PortNumber = NDIS_DEFAULT_PORT_NUMBER;
    Indication.StatusCode = NDIS_STATUS_LINK_STATE;
    Indication.StatusBuffer = &Link;
    Indication.StatusBufferSize = sizeof(Link);
    NdisMIndicateStatusEx(Adapter->AdapterHandle, &Indication);

    NicDataPathRemove(Adapter, 1);
}
