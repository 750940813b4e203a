/* NDIS 6.30: settings from everywhere: the configuration, a subkey, a Zw key, the instance name, an ANSI string, a log. */
#include "simple.h"

typedef struct _REG_ADAPTER {
    SIMPLE Simple;
    NDIS_STRING InstanceName;
    NDIS_HANDLE Log;
    UNICODE_STRING Description;
    ULONG Queues;
    ULONG Trace;
} REG_ADAPTER, *PREG_ADAPTER;

static NDIS_HANDLE RegDriver;
static UNICODE_STRING RegPath;

static NDIS_STATUS RegReadSubkey(PREG_ADAPTER A, NDIS_HANDLE Configuration)
{
    NDIS_STRING Name = NDIS_STRING_CONST("Queues");
    NDIS_STRING Keyword = NDIS_STRING_CONST("Count");
    PNDIS_CONFIGURATION_PARAMETER Value;
    NDIS_HANDLE Subkey;
    NDIS_STATUS Status;

    NdisOpenConfigurationKeyByName(&Status, Configuration, &Name, &Subkey);
    if (Status != NDIS_STATUS_SUCCESS) {
        return NDIS_STATUS_SUCCESS; /* optional */
    }
    NdisReadConfiguration(&Status, &Value, Subkey, &Keyword, NdisParameterInteger);
    if (Status != NDIS_STATUS_SUCCESS) {
#ifndef SEED_SUBKEY
        NdisCloseConfiguration(Subkey);
#endif
        return NDIS_STATUS_SUCCESS;
    }
    A->Queues = Value->ParameterData.IntegerData;
    NdisCloseConfiguration(Subkey);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS RegReadConfiguration(PREG_ADAPTER A)
{
    NDIS_CONFIGURATION_OBJECT Object;
    NDIS_HANDLE Configuration;
    NDIS_STATUS Status;
    PUCHAR Address;
    UINT Length;

    Object.Header.Type = NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT;
    Object.Header.Revision = NDIS_CONFIGURATION_OBJECT_REVISION_1;
    Object.Header.Size = NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1;
    Object.NdisHandle = A->Simple.Handle;
    Object.Flags = 0;
    Status = NdisOpenConfigurationEx(&Object, &Configuration);
    if (Status != NDIS_STATUS_SUCCESS) {
        return Status;
    }
    Status = RegReadSubkey(A, Configuration);
    NdisReadNetworkAddress(&Status, (PVOID *)&Address, &Length, Configuration);
#ifdef SEED_ADDRESS_MISSING
    if (Status != NDIS_STATUS_SUCCESS) {
        return NDIS_STATUS_SUCCESS; /* none is set */
    }
#endif
#ifdef SEED_VALUE_AFTER_CLOSE
    NdisCloseConfiguration(Configuration);
    if (Status == NDIS_STATUS_SUCCESS && Length == FRAME_ADDRESS_LENGTH) {
        NdisMoveMemory(A->Simple.Oids.Address, Address, FRAME_ADDRESS_LENGTH);
    }
#else
    if (Status == NDIS_STATUS_SUCCESS && Length == FRAME_ADDRESS_LENGTH) {
        NdisMoveMemory(A->Simple.Oids.Address, Address, FRAME_ADDRESS_LENGTH);
    }
    NdisCloseConfiguration(Configuration);
#endif
    return NDIS_STATUS_SUCCESS;
}

/* The driver's own key, by the path DriverEntry was given. */
static VOID RegReadTrace(PREG_ADAPTER A)
{
    static const WCHAR Text[] = L"TraceLevel";
    UNICODE_STRING Name = { sizeof(Text) - sizeof(WCHAR), sizeof(Text), (PWCH)Text };
    struct {
        KEY_VALUE_PARTIAL_INFORMATION Information;
        ULONG Room[4];
    } Value;
    OBJECT_ATTRIBUTES Attributes;
    ULONG Length;
    HANDLE Key;

    InitializeObjectAttributes(&Attributes, &RegPath, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    if (!NT_SUCCESS(ZwOpenKey(&Key, KEY_READ, &Attributes))) {
        return;
    }
    if (NT_SUCCESS(ZwQueryValueKey(Key, &Name, KeyValuePartialInformation, &Value, sizeof(Value), &Length))) {
        A->Trace = *(PULONG)Value.Information.Data;
#ifdef SEED_KEY
        ZwClose(Key);
    }
#else
    }
    ZwClose(Key);
#endif
}

static NDIS_STATUS RegInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    ANSI_STRING Text;
    PREG_ADAPTER A;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), ' geR', NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    Status = SimpleBegin(&A->Simple, Handle, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto Free;
    }
    Status = RegReadConfiguration(A);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto Free;
    }
    RegReadTrace(A);
    Status = NdisMQueryAdapterInstanceName(&A->InstanceName, Handle);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto Free;
    }
    Status = NDIS_STATUS_RESOURCES;
    RtlInitAnsiString(&Text, "corpus registry miniport");
    if (!NT_SUCCESS(RtlAnsiStringToUnicodeString(&A->Description, &Text, TRUE))) {
        goto FreeName;
    }
    Status = NdisMCreateLog(Handle, 4096, &A->Log);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto FreeDescription;
    }
    Status = FrameGeneralAttributes(Handle, A->Simple.Oids.Address, NULL);
    if (Status != NDIS_STATUS_SUCCESS) {
#ifndef SEED_LOG_ON_FAILURE
        NdisMCloseLog(A->Log);
#endif
        goto FreeDescription;
    }
    return NDIS_STATUS_SUCCESS;

FreeDescription:
    RtlFreeUnicodeString(&A->Description);
FreeName:
    NdisFreeMemory(A->InstanceName.Buffer, 0, 0);
Free:
    NdisFreeMemory(A, 0, 0);
    return Status;
}

static VOID RegHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PREG_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Action);
#ifndef SEED_LOG
    NdisMCloseLog(A->Log);
#endif
#ifndef SEED_DESCRIPTION
    RtlFreeUnicodeString(&A->Description);
#endif
#ifndef SEED_INSTANCE_NAME
    NdisFreeMemory(A->InstanceName.Buffer, 0, 0);
#endif
    NdisFreeMemory(A, 0, 0);
}

static VOID RegUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(RegDriver);
#ifndef SEED_PATH
    ExFreePoolWithTag(RegPath.Buffer, ' geR');
#endif
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;
    NDIS_STATUS Status;

    RegPath.Buffer = ExAllocatePoolWithTag(PagedPool, Path->Length + sizeof(WCHAR), ' geR');
    if (RegPath.Buffer == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RegPath.MaximumLength = (USHORT)(Path->Length + sizeof(WCHAR));
    RtlCopyUnicodeString(&RegPath, Path);
    SimpleHandlers(&Chars, 30);
    Chars.InitializeHandlerEx = RegInitialize;
    Chars.HaltHandlerEx = RegHalt;
    Chars.UnloadHandler = RegUnload;
    Status = NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &RegDriver);
#ifndef SEED_ENTRY_FAILS
    if (Status != NDIS_STATUS_SUCCESS) {
        ExFreePoolWithTag(RegPath.Buffer, ' geR');
    }
#endif
    return Status;
}
