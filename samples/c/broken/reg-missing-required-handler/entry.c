/* Broken on purpose: no MiniportHaltEx is registered; NDIS refuses, and DriverEntry says so. */
/* Loading and unloading the driver. */
#include "nic.h"

NDIS_HANDLE NicDriverHandle;

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Characteristics;

    NdisZeroMemory(&Characteristics, sizeof(Characteristics));
    Characteristics.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS;
    Characteristics.Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
    Characteristics.Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
    Characteristics.MajorNdisVersion = 6;
    Characteristics.MinorNdisVersion = 30;
    Characteristics.MajorDriverVersion = 1;
    Characteristics.MinorDriverVersion = 0;

    Characteristics.InitializeHandlerEx = NicInitialize;
    Characteristics.UnloadHandler = NicUnload;
    Characteristics.PauseHandler = NicPause;
    Characteristics.RestartHandler = NicRestart;
    Characteristics.OidRequestHandler = NicOidRequest;
    Characteristics.SendNetBufferListsHandler = NicSendNetBufferLists;
    Characteristics.ReturnNetBufferListsHandler = NicReturnNetBufferLists;
    Characteristics.CancelSendHandler = NicCancelSend;
    Characteristics.DevicePnPEventNotifyHandler = NicDevicePnPEventNotify;
    Characteristics.ShutdownHandlerEx = NicShutdown;
    Characteristics.CancelOidRequestHandler = NicCancelOidRequest;

    /* Rule driverentry-status-lost: what NDIS says is what the loader is told. Nothing else to undo on failure. */
    return NdisMRegisterMiniportDriver(Driver, RegistryPath, NULL, &Characteristics, &NicDriverHandle);
}

/* PASSIVE_LEVEL, after the last adapter was halted. */
VOID NicUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);

    /* Rules unload-leaks-driver-registration, unload-without-deregister. */
    NdisMDeregisterMiniportDriver(NicDriverHandle);
}
