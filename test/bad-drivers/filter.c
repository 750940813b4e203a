/* A filter driver: it registers with NdisFRegisterFilterDriver, and so is no miniport. */
#include <ndis.h>

NDIS_STATUS NdisFRegisterFilterDriver(PDRIVER_OBJECT Driver, NDIS_HANDLE Context, PVOID Characteristics,
                                      PNDIS_HANDLE Handle);

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    static NDIS_HANDLE Handle;
    static UCHAR Characteristics[128];

    UNREFERENCED_PARAMETER(RegistryPath);
    return NdisFRegisterFilterDriver(Driver, NULL, Characteristics, &Handle);
}
