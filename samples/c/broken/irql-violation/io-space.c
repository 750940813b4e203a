/* Broken on purpose: the registers are unmapped with a spin lock held, that is at DISPATCH_LEVEL. */
/* The registers (BAR0). */
#include "nic.h"

NDIS_STATUS NicAcquireIoSpace(PNIC_ADAPTER Adapter)
{
    PVOID Address;
    NDIS_STATUS Status;

    Status = NdisMMapIoSpace(&Address, Adapter->AdapterHandle, Adapter->RegistersAddress, Adapter->RegistersLength);
    if (Status != NDIS_STATUS_SUCCESS) {
        NdisWriteErrorLogEntry(Adapter->AdapterHandle, NDIS_ERROR_CODE_RESOURCE_CONFLICT, 1,
                               Adapter->RegistersAddress.LowPart);
        return Status;
    }
    Adapter->Registers = Address;
    return NDIS_STATUS_SUCCESS;
}

/* Rules halt-leaks-io-space, io-space-mismatch. Nothing may touch a register from here on (io-access-after-unmap). */
VOID NicReleaseIoSpace(PNIC_ADAPTER Adapter)
{
    NdisAcquireSpinLock(&Adapter->Lock);
    NdisMUnmapIoSpace(Adapter->AdapterHandle, Adapter->Registers, Adapter->RegistersLength);
    Adapter->Registers = NULL;
    NdisReleaseSpinLock(&Adapter->Lock);
}
