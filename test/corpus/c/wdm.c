/*
 * NDIS 6.0 with a WDM lower edge (NDIS_WDM_DRIVER): pool, work item, timer and DPC, system thread and register mapping come from
 * the kernel, not from NDIS.
 */
#include "board.h"
#include "frame.h"

#define WDM_POOL_TAG 'mdWC'

typedef struct _DEVICE_CONTEXT {
    NDIS_HANDLE MiniportAdapterHandle;
    PDEVICE_OBJECT Fdo;
    PUCHAR Registers;
    PUCHAR SecondView;            /* the statistics page, mapped once more write-combined */
    PULONG Samples;
    ULONG SampleCount;
    PIO_WORKITEM WorkItem;
    KEVENT WorkIdle;
    BOOLEAN WorkQueued;
    KTIMER PollTimer;
    KDPC PollDpc;
    KDPC LinkDpc;
    KEVENT StopThread;
    PVOID Thread;
    BOOLEAN PowerIsUp;
    BOOLEAN Halting;
    KSPIN_LOCK Lock;
    BOOLEAN Paused;
    LONG SendsInside;
    FRAME_OIDS Oids;
} DEVICE_CONTEXT, *PDEVICE_CONTEXT;

static NDIS_HANDLE NdisDriverHandle;

static VOID WdmWorker(PDEVICE_OBJECT Device, PVOID Context)
{
    PDEVICE_CONTEXT Dc = Context;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Device);
    if (Dc->SampleCount < 32) {
        Dc->Samples[Dc->SampleCount++] = BoardRead(Dc->Registers, STATUS);
    }
    KeAcquireSpinLock(&Dc->Lock, &Irql);
    Dc->WorkQueued = FALSE;
    KeSetEvent(&Dc->WorkIdle, IO_NO_INCREMENT, FALSE);
    KeReleaseSpinLock(&Dc->Lock, Irql);
}

static VOID WdmAwaitWorker(PDEVICE_CONTEXT Dc)
{
    KIRQL Irql;

    KeWaitForSingleObject(&Dc->WorkIdle, Executive, KernelMode, FALSE, NULL);
    KeAcquireSpinLock(&Dc->Lock, &Irql); /* the worker has left it */
    KeReleaseSpinLock(&Dc->Lock, Irql);
}

static VOID WdmLinkDpc(PKDPC Dpc, PVOID Context, PVOID A1, PVOID A2)
{
    PDEVICE_CONTEXT Dc = Context;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(A1);
    UNREFERENCED_PARAMETER(A2);
    Dc->Oids.Received++;
}

static VOID WdmPoll(PKDPC Dpc, PVOID Context, PVOID A1, PVOID A2)
{
    PDEVICE_CONTEXT Dc = Context;
    BOOLEAN Idle;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(A1);
    UNREFERENCED_PARAMETER(A2);
    KeInsertQueueDpc(&Dc->LinkDpc, NULL, NULL);
    KeAcquireSpinLockAtDpcLevel(&Dc->Lock);
    Idle = !Dc->WorkQueued;
    if (Idle) {
        Dc->WorkQueued = TRUE;
        KeClearEvent(&Dc->WorkIdle);
    }
    KeReleaseSpinLockFromDpcLevel(&Dc->Lock);
    if (Idle) {
        IoQueueWorkItem(Dc->WorkItem, WdmWorker, DelayedWorkQueue, Dc);
    }
}

static VOID WdmThread(PVOID Context)
{
    PDEVICE_CONTEXT Dc = Context;
    LARGE_INTEGER Interval;

    Interval.QuadPart = -40 * 10000LL;
    while (KeWaitForSingleObject(&Dc->StopThread, Executive, KernelMode, FALSE, &Interval) == STATUS_TIMEOUT) {
        if (BoardRead(Dc->Registers, STATUS) == GONE) {
            Dc->PowerIsUp = FALSE;
        }
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static NTSTATUS WdmStartThread(PDEVICE_CONTEXT Dc)
{
    HANDLE Handle;
    NTSTATUS Status;

    Status = PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, WdmThread, Dc);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, NULL, KernelMode, &Dc->Thread, NULL);
    if (!NT_SUCCESS(Status)) {
#ifdef SEED_THREAD_WITHOUT_OBJECT
        KeSetEvent(&Dc->StopThread, IO_NO_INCREMENT, FALSE); /* it will end by itself */
#else
        KeSetEvent(&Dc->StopThread, IO_NO_INCREMENT, FALSE);
        ZwWaitForSingleObject(Handle, FALSE, NULL);
#endif
        Dc->Thread = NULL;
    }
#ifdef SEED_THREAD_HANDLE
    if (!NT_SUCCESS(Status)) {
        ZwClose(Handle);
    }
#else
    ZwClose(Handle);
#endif
    return Status;
}

static VOID WdmStopThread(PDEVICE_CONTEXT Dc)
{
    KeSetEvent(&Dc->StopThread, IO_NO_INCREMENT, FALSE);
#ifdef SEED_THREAD_NOT_AWAITED
    {
        LARGE_INTEGER Grace;

        Grace.QuadPart = -10000LL;
        KeDelayExecutionThread(KernelMode, FALSE, &Grace); /* a millisecond to see it */
    }
#else
    KeWaitForSingleObject(Dc->Thread, Executive, KernelMode, FALSE, NULL);
#endif
#ifndef SEED_THREAD_REFERENCE
    ObDereferenceObject(Dc->Thread);
#endif
}

static NDIS_STATUS WdmInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Parameters)
{
    static const UCHAR Address[] = { 2, 0x57, 0x44, 0x4D, 0, 1 };
    PHYSICAL_ADDRESS Page;
    PDEVICE_CONTEXT Dc;
    NDIS_STATUS Status;
    LARGE_INTEGER Due;
    BOARD Board;

    UNREFERENCED_PARAMETER(Context);
    Dc = ExAllocatePoolWithTag(NonPagedPool, sizeof(*Dc), WDM_POOL_TAG);
    if (Dc == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    RtlZeroMemory(Dc, sizeof(*Dc));
    Dc->MiniportAdapterHandle = Handle;
    Dc->Paused = TRUE;
    Dc->PowerIsUp = TRUE;
    KeInitializeSpinLock(&Dc->Lock);
    KeInitializeEvent(&Dc->StopThread, NotificationEvent, FALSE);
    KeInitializeEvent(&Dc->WorkIdle, NotificationEvent, TRUE);
    KeInitializeTimerEx(&Dc->PollTimer, SynchronizationTimer);
    KeInitializeDpc(&Dc->PollDpc, WdmPoll, Dc);
    KeInitializeDpc(&Dc->LinkDpc, WdmLinkDpc, Dc);
    RtlCopyMemory(Dc->Oids.Address, Address, sizeof(Address));

    Status = FrameRegistrationAttributes(
        Handle, Dc, NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto FreeContext;
    }
    Status = NDIS_STATUS_RESOURCES;
    if (!BoardFind(Parameters->AllocatedResources, &Board)) {
        goto FreeContext;
    }
    Dc->Samples = ExAllocatePoolWithTag(PagedPool, 32 * sizeof(ULONG), WDM_POOL_TAG);
    if (Dc->Samples == NULL) {
        goto FreeContext;
    }
    Dc->Registers = MmMapIoSpace(Board.Registers, BOARD_REGISTERS, MmNonCached);
    if (Dc->Registers == NULL) {
        goto FreeSamples;
    }
    Page = Board.Registers;
    Dc->SecondView = MmMapIoSpace(Page, 0x100, MmNonCached);
    if (Dc->SecondView == NULL) {
        goto Unmap;
    }
    Status = NDIS_STATUS_FAILURE;
    if (!BoardReset(Dc->Registers)) {
        goto UnmapSecond;
    }
    NdisMGetDeviceProperty(Handle, NULL, &Dc->Fdo, NULL, NULL, NULL);
    Status = NDIS_STATUS_RESOURCES;
    Dc->WorkItem = IoAllocateWorkItem(Dc->Fdo);
    if (Dc->WorkItem == NULL) {
        goto UnmapSecond;
    }
    Status = FrameGeneralAttributes(Handle, Address, NULL);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto FreeWorkItem;
    }
    if (!NT_SUCCESS(WdmStartThread(Dc))) {
        Status = NDIS_STATUS_RESOURCES;
        goto FreeWorkItem;
    }
    Due.QuadPart = -50 * 10000LL;
    KeSetTimerEx(&Dc->PollTimer, Due, 50, &Dc->PollDpc);
    return NDIS_STATUS_SUCCESS;

FreeWorkItem:
#ifndef SEED_WORK_ITEM_ON_FAILURE
    IoFreeWorkItem(Dc->WorkItem);
#endif
UnmapSecond:
    MmUnmapIoSpace(Dc->SecondView, 0x100);
Unmap:
    MmUnmapIoSpace(Dc->Registers, BOARD_REGISTERS);
FreeSamples:
    ExFreePoolWithTag(Dc->Samples, WDM_POOL_TAG);
FreeContext:
    ExFreePoolWithTag(Dc, WDM_POOL_TAG);
    return Status;
}

static VOID WdmHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PDEVICE_CONTEXT Dc = Context;

    Dc->Halting = TRUE;
#ifdef SEED_SURPRISE_LEAVES
    if (Action == NdisHaltDeviceSurpriseRemoved) {
        /* Nothing left to talk to. */
        KeCancelTimer(&Dc->PollTimer);
        KeFlushQueuedDpcs();
        WdmAwaitWorker(Dc);
        WdmStopThread(Dc);
        IoFreeWorkItem(Dc->WorkItem);
        ExFreePoolWithTag(Dc->Samples, WDM_POOL_TAG);
        ExFreePoolWithTag(Dc, WDM_POOL_TAG);
        return;
    }
#else
    UNREFERENCED_PARAMETER(Action);
#endif
#ifndef SEED_TIMER_RUNS
    KeCancelTimer(&Dc->PollTimer);
#endif
#ifndef SEED_NO_FLUSH
    KeFlushQueuedDpcs();
    KeFlushQueuedDpcs(); /* the link's DPC, if the poll queued it while the first call waited */
#endif
    WdmAwaitWorker(Dc);
    WdmStopThread(Dc);
    IoFreeWorkItem(Dc->WorkItem);
#ifndef SEED_SECOND_VIEW
    MmUnmapIoSpace(Dc->SecondView, 0x100);
#endif
    MmUnmapIoSpace(Dc->Registers, BOARD_REGISTERS);
#if defined(SEED_WRONG_TAG)
    ExFreePoolWithTag(Dc->Samples, 'pmaS');
#elif defined(SEED_SAMPLES)
    if (Dc->SampleCount == 0) {
        ExFreePoolWithTag(Dc->Samples, WDM_POOL_TAG);
    }
#else
    ExFreePoolWithTag(Dc->Samples, WDM_POOL_TAG);
#endif
    ExFreePoolWithTag(Dc, WDM_POOL_TAG);
}

static NDIS_STATUS WdmPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    PDEVICE_CONTEXT Dc = Context;
    LARGE_INTEGER Tick;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(P);
    KeAcquireSpinLock(&Dc->Lock, &Irql);
    Dc->Paused = TRUE;
    KeReleaseSpinLock(&Dc->Lock, Irql);
    Tick.QuadPart = -10000LL;
    while (InterlockedExchangeAdd(&Dc->SendsInside, 0) != 0) {
        KeDelayExecutionThread(KernelMode, FALSE, &Tick);
    }
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS WdmRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    ((PDEVICE_CONTEXT)Context)->Paused = FALSE;
    return NDIS_STATUS_SUCCESS;
}

static VOID WdmSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PDEVICE_CONTEXT Dc = Context;
    BOOLEAN Paused;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Port);
    KeAcquireSpinLock(&Dc->Lock, &Irql);
    Paused = Dc->Paused;
    if (!Paused) {
        InterlockedIncrement(&Dc->SendsInside);
    }
    KeReleaseSpinLock(&Dc->Lock, Irql);
    FrameCompleteSends(Dc->MiniportAdapterHandle, Lists, Paused ? NDIS_STATUS_PAUSED : NDIS_STATUS_SUCCESS, Flags);
    if (!Paused) {
        InterlockedDecrement(&Dc->SendsInside);
    }
}

static NDIS_STATUS WdmOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&((PDEVICE_CONTEXT)Context)->Oids, Request);
}

static VOID WdmShutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    if (!((PDEVICE_CONTEXT)Context)->Halting) {
        BoardStop(((PDEVICE_CONTEXT)Context)->Registers);
    }
}

static VOID WdmUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(NdisDriverHandle);
}

static VOID WdmPnp(NDIS_HANDLE Context, PNET_DEVICE_PNP_EVENT Event)
{
    PDEVICE_CONTEXT Dc = Context;

    if (Event->DevicePnPEvent == NdisDevicePnPEventSurpriseRemoved) {
        Dc->Oids.Gone = TRUE;
        Dc->Paused = TRUE;
    }
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Mc;

    RtlZeroMemory(&Mc, sizeof(Mc));
    Mc.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS;
    Mc.Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1;
    Mc.Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1;
    Mc.MajorNdisVersion = 6;
    Mc.MinorNdisVersion = 0;
    Mc.Flags = NDIS_WDM_DRIVER;
    Mc.InitializeHandlerEx = WdmInitialize;
    Mc.HaltHandlerEx = WdmHalt;
    Mc.UnloadHandler = WdmUnload;
    Mc.PauseHandler = WdmPause;
    Mc.RestartHandler = WdmRestart;
    Mc.OidRequestHandler = WdmOid;
    Mc.CancelOidRequestHandler = FrameCancelOid;
    Mc.SendNetBufferListsHandler = WdmSend;
    Mc.ReturnNetBufferListsHandler = FrameReturn;
    Mc.CancelSendHandler = FrameCancelSend;
    Mc.DevicePnPEventNotifyHandler = WdmPnp;
    Mc.ShutdownHandlerEx = WdmShutdown;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Mc, &NdisDriverHandle);
}
