/*
 * NDIS 6.20 (USB-like, no resources): a control device made with NdisRegisterDeviceEx by the first adapter and taken away with
 * the last one; a list of adapters under a lock.
 */
#include <ndis.h>
#include "frame.h"

typedef struct _CTL_ADAPTER {
    LIST_ENTRY Link;
    NDIS_HANDLE Handle;
    PVOID LogBuffer;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} CTL_ADAPTER, *PCTL_ADAPTER;

static struct {
    NDIS_HANDLE Driver;
    NDIS_HANDLE ControlHandle;
    PDEVICE_OBJECT ControlDevice;
    LONG Adapters;
    KEVENT Free; /* a lock that leaves the IRQL alone */
    LIST_ENTRY List;
} Ctl;

static NTSTATUS CtlDispatch(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(Device);
    if (Stack->MajorFunction == IRP_MJ_DEVICE_CONTROL) {
        Status = STATUS_INVALID_DEVICE_REQUEST;
    }
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* The lock is held. */
static NDIS_STATUS CtlMakeDevice(VOID)
{
    static PDRIVER_DISPATCH Dispatch[IRP_MJ_MAXIMUM_FUNCTION + 1];
    NDIS_STRING Name = NDIS_STRING_CONST("\\Device\\CorpusControl");
    NDIS_STRING Link = NDIS_STRING_CONST("\\DosDevices\\CorpusControl");
    NDIS_DEVICE_OBJECT_ATTRIBUTES Attributes;

    Dispatch[IRP_MJ_CREATE] = CtlDispatch;
    Dispatch[IRP_MJ_CLEANUP] = CtlDispatch;
    Dispatch[IRP_MJ_CLOSE] = CtlDispatch;
    Dispatch[IRP_MJ_DEVICE_CONTROL] = CtlDispatch;
    NdisZeroMemory(&Attributes, sizeof(Attributes));
    Attributes.Header.Type = NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES;
    Attributes.Header.Revision = NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1;
    Attributes.Header.Size = NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1;
    Attributes.DeviceName = &Name;
    Attributes.SymbolicName = &Link;
    Attributes.MajorFunctions = Dispatch;
    return NdisRegisterDeviceEx(Ctl.Driver, &Attributes, &Ctl.ControlDevice, &Ctl.ControlHandle);
}

static NDIS_STATUS CtlEnter(PCTL_ADAPTER A)
{
    NDIS_STATUS Status = NDIS_STATUS_SUCCESS;

    KeWaitForSingleObject(&Ctl.Free, Executive, KernelMode, FALSE, NULL);
    if (Ctl.Adapters == 0) {
        Status = CtlMakeDevice();
    }
    if (Status == NDIS_STATUS_SUCCESS) {
        Ctl.Adapters++;
        InsertTailList(&Ctl.List, &A->Link);
    }
    KeSetEvent(&Ctl.Free, IO_NO_INCREMENT, FALSE);
    return Status;
}

static VOID CtlLeave(PCTL_ADAPTER A)
{
    NDIS_HANDLE Gone = NULL;

    KeWaitForSingleObject(&Ctl.Free, Executive, KernelMode, FALSE, NULL);
#ifndef SEED_STAYS_ON_LIST
    RemoveEntryList(&A->Link);
#else
    UNREFERENCED_PARAMETER(A);
#endif
#ifdef SEED_FIRST_HALT
    Ctl.Adapters--;
    Gone = Ctl.ControlHandle;
    Ctl.ControlHandle = NULL;
#else
    if (--Ctl.Adapters == 0) {
        Gone = Ctl.ControlHandle;
    }
#endif
    KeSetEvent(&Ctl.Free, IO_NO_INCREMENT, FALSE);
    if (Gone != NULL) {
        NdisDeregisterDeviceEx(Gone);
    }
}

static NDIS_STATUS CtlInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    static const UCHAR Address[] = { 2, 0x43, 0x54, 0x4C, 0, 1 };
    PCTL_ADAPTER A;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), ' ltC', NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    A->Handle = Handle;
    FrameGateInitialize(&A->Gate);
    NdisMoveMemory(A->Oids.Address, Address, sizeof(Address));
    Status = FrameRegistrationAttributes(Handle, A, 0, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        NdisFreeMemory(A, 0, 0);
        return Status;
    }
    Status = CtlEnter(A);
    if (Status != NDIS_STATUS_SUCCESS) {
        NdisFreeMemory(A, 0, 0);
        return NDIS_STATUS_FAILURE;
    }
    A->LogBuffer = NdisAllocateMemoryWithTagPriority(Handle, 4096, ' ltC', LowPoolPriority);
    if (A->LogBuffer == NULL) {
#ifndef SEED_COUNTED_FAILURE
        CtlLeave(A);
#else
        KeWaitForSingleObject(&Ctl.Free, Executive, KernelMode, FALSE, NULL);
        RemoveEntryList(&A->Link);
        KeSetEvent(&Ctl.Free, IO_NO_INCREMENT, FALSE);
#endif
        NdisFreeMemory(A, 0, 0);
        return NDIS_STATUS_RESOURCES;
    }
    Status = FrameGeneralAttributes(Handle, Address, NULL);
    if (Status != NDIS_STATUS_SUCCESS) {
        NdisFreeMemory(A->LogBuffer, 0, 0);
        CtlLeave(A);
        NdisFreeMemory(A, 0, 0);
    }
    return Status;
}

static VOID CtlHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PCTL_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Action);
    CtlLeave(A);
    NdisFreeMemory(A->LogBuffer, 0, 0);
    NdisFreeMemory(A, 0, 0);
}

static NDIS_STATUS CtlPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateClose(&((PCTL_ADAPTER)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS CtlRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateOpen(&((PCTL_ADAPTER)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static VOID CtlSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PCTL_ADAPTER A = Context;
    BOOLEAN Open = FrameGateEnter(&A->Gate);

    UNREFERENCED_PARAMETER(Port);
    FrameCompleteSends(A->Handle, Lists, Open ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, Flags);
    if (Open) {
        FrameGateLeave(&A->Gate);
    }
}

static NDIS_STATUS CtlOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&((PCTL_ADAPTER)Context)->Oids, Request);
}

static VOID CtlUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(Ctl.Driver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    KeInitializeEvent(&Ctl.Free, SynchronizationEvent, TRUE);
    InitializeListHead(&Ctl.List);
    FrameCharacteristics(&Chars, 20);
    FrameQuietHandlers(&Chars);
    Chars.InitializeHandlerEx = CtlInitialize;
    Chars.HaltHandlerEx = CtlHalt;
    Chars.UnloadHandler = CtlUnload;
    Chars.PauseHandler = CtlPause;
    Chars.RestartHandler = CtlRestart;
    Chars.OidRequestHandler = CtlOid;
    Chars.SendNetBufferListsHandler = CtlSend;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &Ctl.Driver);
}
