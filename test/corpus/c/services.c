/* NDIS 6.30: what a driver registers with the rest of the kernel: trace provider, bug check record, WMI, notifications. */
#include "simple.h"

typedef struct _SVC_ADAPTER {
    SIMPLE Simple;
    PDEVICE_OBJECT Pdo, Fdo;
    PVOID Notification;
    UNICODE_STRING Interface;
    BOOLEAN InterfaceOn;
    PEX_TIMER Timer;
    PNDIS_GENERIC_OBJECT Object;
    NDIS_HANDLE ObjectPool;
} SVC_ADAPTER, *PSVC_ADAPTER;

static const GUID SvcProvider = { 0x6d1f1a01, 0x2b3c, 0x4d5e, { 1, 2, 3, 4, 5, 6, 7, 8 } };
static const GUID SvcInterface = { 0x6d1f1a02, 0x2b3c, 0x4d5e, { 1, 2, 3, 4, 5, 6, 7, 8 } };

static PDRIVER_OBJECT SvcDriverObject;
static NDIS_HANDLE SvcDriver;
static REGHANDLE SvcTrace;
static KBUGCHECK_CALLBACK_RECORD SvcRecord;
static UCHAR SvcDump[256];

static VOID SvcBugCheck(PVOID Buffer, ULONG Length)
{
    PUCHAR Bytes = Buffer;

    if (Length != 0) {
        Bytes[0] = 1;
    }
}

static NTSTATUS SvcNotify(PVOID Notification, PVOID Context)
{
    UNREFERENCED_PARAMETER(Notification);
    UNREFERENCED_PARAMETER(Context);
    return STATUS_SUCCESS;
}

static VOID SvcTick(PEX_TIMER Timer, PVOID Context)
{
    UNREFERENCED_PARAMETER(Timer);
    ((PSVC_ADAPTER)Context)->Simple.Oids.Received++;
}

static VOID SvcRelease(PSVC_ADAPTER A)
{
    if (A->ObjectPool != NULL) {
        NdisFreeNetBufferListPool(A->ObjectPool);
    }
    if (A->Object != NULL) {
#ifndef SEED_OBJECT
        NdisFreeGenericObject(A->Object);
#endif
    }
    if (A->Timer != NULL) {
#ifdef SEED_TIMER_CANCELLED
        ExCancelTimer(A->Timer, NULL);
#else
        ExDeleteTimer(A->Timer, TRUE, TRUE, NULL);
#endif
    }
    if (A->Interface.Buffer != NULL) {
#ifndef SEED_INTERFACE_ON
        if (A->InterfaceOn) {
            IoSetDeviceInterfaceState(&A->Interface, FALSE);
        }
#endif
        RtlFreeUnicodeString(&A->Interface);
    }
    if (A->Notification != NULL) {
#ifndef SEED_NOTIFICATION
        IoUnregisterPlugPlayNotificationEx(A->Notification);
#endif
    }
    NdisFreeMemory(A, 0, 0);
}

static NDIS_STATUS SvcAcquire(PSVC_ADAPTER A)
{
    NET_BUFFER_LIST_POOL_PARAMETERS Pool = { 0 };
    NTSTATUS Status;

    NdisMGetDeviceProperty(A->Simple.Handle, &A->Pdo, &A->Fdo, NULL, NULL, NULL);
    Status = IoRegisterPlugPlayNotification(EventCategoryDeviceInterfaceChange, 0, (PVOID)&SvcInterface,
                                            SvcDriverObject, SvcNotify, A, &A->Notification);
    if (!NT_SUCCESS(Status)) {
        A->Notification = NULL;
        return NDIS_STATUS_RESOURCES;
    }
    Status = IoRegisterDeviceInterface(A->Pdo, &SvcInterface, NULL, &A->Interface);
    if (!NT_SUCCESS(Status)) {
        A->Interface.Buffer = NULL;
        return NDIS_STATUS_RESOURCES;
    }
    if (NT_SUCCESS(IoSetDeviceInterfaceState(&A->Interface, TRUE))) {
        A->InterfaceOn = TRUE;
    }
    A->Timer = ExAllocateTimer(SvcTick, A, EX_TIMER_NO_WAKE);
    if (A->Timer == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    ExSetTimer(A->Timer, -20 * 10000LL, 20 * 10000LL, NULL);
    A->Object = NdisAllocateGenericObject(SvcDriverObject, 'cvSC', 0);
    if (A->Object == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    Pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Pool.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Pool.PoolTag = 'cvSC';
    A->ObjectPool = NdisAllocateNetBufferListPool(A->Object, &Pool);
    if (A->ObjectPool == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    return FrameGeneralAttributes(A->Simple.Handle, A->Simple.Oids.Address, NULL);
}

static NDIS_STATUS SvcInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NDIS_STATUS Status;
    PSVC_ADAPTER A;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), 'cvSC', NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    Status = SimpleBegin(&A->Simple, Handle, 0);
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = SvcAcquire(A);
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        SvcRelease(A);
    }
    return Status;
}

static VOID SvcHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    SvcRelease(Context);
}

static VOID SvcUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(SvcDriver);
#ifndef SEED_BUG_CHECK_RECORD
    KeDeregisterBugCheckCallback(&SvcRecord);
#endif
#ifndef SEED_TRACE
    EtwUnregister(SvcTrace);
#endif
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;
    NTSTATUS Status;

    SvcDriverObject = Driver;
    Status = EtwRegister(&SvcProvider, NULL, NULL, &SvcTrace);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    SimpleHandlers(&Chars, 30);
    Chars.InitializeHandlerEx = SvcInitialize;
    Chars.HaltHandlerEx = SvcHalt;
    Chars.UnloadHandler = SvcUnload;
    Status = NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &SvcDriver);
    if (Status != NDIS_STATUS_SUCCESS) {
#ifndef SEED_TRACE_ON_FAILURE
        EtwUnregister(SvcTrace);
#endif
        return Status;
    }
    KeInitializeCallbackRecord(&SvcRecord);
    if (!KeRegisterBugCheckCallback(&SvcRecord, SvcBugCheck, SvcDump, sizeof(SvcDump), (PUCHAR)"corpus")) {
#ifndef SEED_STAYS_REGISTERED
        NdisMDeregisterMiniportDriver(SvcDriver);
#endif
        EtwUnregister(SvcTrace);
        return STATUS_UNSUCCESSFUL;
    }
    return STATUS_SUCCESS;
}
