/* Broken on purpose: half of the registered port range is deregistered. */
/* The I/O port range (BAR1). */
#include "nic.h"

NDIS_STATUS NicAcquireIoPorts(PNIC_ADAPTER Adapter)
{
    NDIS_STATUS Status;

    Status = NdisMRegisterIoPortRange(&Adapter->PortOffset, Adapter->AdapterHandle, Adapter->PortsAddress,
                                      Adapter->PortsLength);
    if (Status != NDIS_STATUS_SUCCESS) {
        NdisWriteErrorLogEntry(Adapter->AdapterHandle, NDIS_ERROR_CODE_BAD_IO_BASE_ADDRESS, 1, Adapter->PortsAddress);
        return Status;
    }
    Adapter->PortsRegistered = TRUE;
    return NDIS_STATUS_SUCCESS;
}

/* Rules halt-leaks-io-port-range, io-port-range-mismatch: the same four values. */
VOID NicReleaseIoPorts(PNIC_ADAPTER Adapter)
{
    Adapter->PortsRegistered = FALSE;
    NdisMDeregisterIoPortRange(Adapter->AdapterHandle, Adapter->PortsAddress, Adapter->PortsLength / 2,
                               Adapter->PortOffset);
    Adapter->PortOffset = NULL;
}
