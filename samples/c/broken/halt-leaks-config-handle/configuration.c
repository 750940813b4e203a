/* Broken on purpose: the configuration handle is never closed. */
/* Settings from the registry. The handle lives only inside this function. */
#include "nic.h"

static VOID NicReadExtraBuffers(PNIC_ADAPTER Adapter, NDIS_HANDLE Configuration)
{
    static NDIS_STRING Keyword = NDIS_STRING_CONST("ExtraReceiveBuffers");
    PNDIS_CONFIGURATION_PARAMETER Value;
    NDIS_STATUS Status;

    /* An absent value is the everyday case; NDIS does not check the range. */
    NdisReadConfiguration(&Status, &Value, Configuration, &Keyword, NdisParameterInteger);
    if (Status == NDIS_STATUS_SUCCESS) {
        Adapter->WantExtraBuffers = Value->ParameterData.IntegerData != 0;
    }
}

static VOID NicReadAddressOverride(PNIC_ADAPTER Adapter, NDIS_HANDLE Configuration)
{
    PVOID Address;
    UINT Length;
    NDIS_STATUS Status;

    NdisReadNetworkAddress(&Status, &Address, &Length, Configuration);
    if (Status != NDIS_STATUS_SUCCESS || Length != NIC_ADDRESS_LENGTH) {
        return;
    }
    /* Only an individual address will do. Copied: the buffer goes with the handle (config-value-used-after-close). */
    if ((*(PUCHAR)Address & 0x01) == 0) {
        NdisMoveMemory(Adapter->CurrentAddress, Address, NIC_ADDRESS_LENGTH);
    }
}

NDIS_STATUS NicReadConfiguration(PNIC_ADAPTER Adapter)
{
    NDIS_CONFIGURATION_OBJECT Object;
    NDIS_HANDLE Configuration;
    NDIS_STATUS Status;

    Adapter->WantExtraBuffers = TRUE;

    NdisZeroMemory(&Object, sizeof(Object));
    Object.Header.Type = NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT;
    Object.Header.Revision = NDIS_CONFIGURATION_OBJECT_REVISION_1;
    Object.Header.Size = NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1;
    Object.NdisHandle = Adapter->AdapterHandle;

    Status = NdisOpenConfigurationEx(&Object, &Configuration);
    if (Status != NDIS_STATUS_SUCCESS) {
        return Status;
    }
    NicReadExtraBuffers(Adapter, Configuration);
    NicReadAddressOverride(Adapter, Configuration);
    return NDIS_STATUS_SUCCESS;
}
