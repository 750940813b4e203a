/* NDIS 6.20, no hardware: two NDIS ports of its own beside the default port, which the driver controls. */
#include "simple.h"

#define PORTS 2

typedef struct _PRT_ADAPTER {
    SIMPLE Simple;
    NDIS_PORT_NUMBER Port[PORTS];
    ULONG Allocated, Active;
    BOOLEAN DefaultActive;
} PRT_ADAPTER, *PPRT_ADAPTER;

static NDIS_HANDLE PrtDriver;

/* Chain: the ports to activate; Numbers: those to deactivate. */
static NDIS_STATUS PrtEvent(PPRT_ADAPTER A, NET_PNP_EVENT_CODE Code, PVOID Buffer, ULONG Length)
{
    NET_PNP_EVENT_NOTIFICATION Event;

    NdisZeroMemory(&Event, sizeof(Event));
    Event.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Event.Header.Revision = NET_PNP_EVENT_NOTIFICATION_REVISION_1;
    Event.Header.Size = NDIS_SIZEOF_NET_PNP_EVENT_NOTIFICATION_REVISION_1;
    Event.NetPnPEvent.NetEvent = Code;
    Event.NetPnPEvent.Buffer = Buffer;
    Event.NetPnPEvent.BufferLength = Length;
    return NdisMNetPnPEvent(A->Simple.Handle, &Event);
}

static VOID PrtDescribe(PNDIS_PORT_CHARACTERISTICS Port, NDIS_PORT_NUMBER Number)
{
    NdisZeroMemory(Port, sizeof(*Port));
    Port->Header.Type = NDIS_OBJECT_TYPE_PORT_CHARACTERISTICS;
    Port->Header.Revision = NDIS_PORT_CHARACTERISTICS_REVISION_1;
    Port->Header.Size = NDIS_SIZEOF_PORT_CHARACTERISTICS_REVISION_1;
    Port->PortNumber = Number;
    Port->Flags = NDIS_PORT_CHAR_USE_DEFAULT_AUTH_SETTINGS;
    Port->Type = NdisPortTypeUndefined;
    Port->MediaConnectState = MediaConnectStateConnected;
    Port->XmitLinkSpeed = Port->RcvLinkSpeed = 1000000000ULL;
    Port->Direction = NET_IF_DIRECTION_SENDRECEIVE;
    Port->SendControlState = Port->RcvControlState = NdisPortControlStateUnknown;
    Port->SendAuthorizationState = Port->RcvAuthorizationState = NdisPortAuthorizationUnknown;
}

static NDIS_STATUS PrtActivate(PPRT_ADAPTER A, NDIS_PORT_NUMBER Number)
{
    NDIS_PORT Port;

    NdisZeroMemory(&Port, sizeof(Port));
    PrtDescribe(&Port.PortCharacteristics, Number);
    return PrtEvent(A, NetEventPortActivation, &Port, sizeof(Port));
}

static VOID PrtRelease(PPRT_ADAPTER A)
{
    NDIS_PORT_NUMBER Default = NDIS_DEFAULT_PORT_NUMBER;
    ULONG i;

    UNREFERENCED_PARAMETER(Default);
    if (A->DefaultActive) {
#ifndef SEED_DEFAULT_STAYS
        PrtEvent(A, NetEventPortDeactivation, &Default, sizeof(Default));
#endif
    }
#ifdef SEED_FREED_ACTIVE
    for (i = 1; i < A->Active; i++) {
#else
    for (i = 0; i < A->Active; i++) {
#endif
        PrtEvent(A, NetEventPortDeactivation, &A->Port[i], sizeof(A->Port[i]));
    }
#ifdef SEED_ONLY_ACTIVE
    for (i = 0; i < A->Active; i++) {
#else
    for (i = 0; i < A->Allocated; i++) {
#endif
        NdisMFreePort(A->Simple.Handle, A->Port[i]);
    }
#ifdef SEED_DEFAULT_FREED
    NdisMFreePort(A->Simple.Handle, Default);
#endif
    NdisFreeMemory(A, 0, 0);
}

static NDIS_STATUS PrtInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NDIS_PORT_CHARACTERISTICS Port;
    NDIS_STATUS Status;
    PPRT_ADAPTER A;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), ' trP', NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    Status = SimpleBegin(&A->Simple, Handle, NDIS_MINIPORT_ATTRIBUTES_CONTROLS_DEFAULT_PORT);
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = FrameGeneralAttributes(Handle, A->Simple.Oids.Address, NULL);
    }
    while (Status == NDIS_STATUS_SUCCESS && A->Allocated < PORTS) {
        PrtDescribe(&Port, 0);
        Status = NdisMAllocatePort(Handle, &Port);
        if (Status == NDIS_STATUS_SUCCESS) {
            A->Port[A->Allocated++] = Port.PortNumber;
        }
    }
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = PrtActivate(A, NDIS_DEFAULT_PORT_NUMBER);
        A->DefaultActive = Status == NDIS_STATUS_SUCCESS;
    }
    while (Status == NDIS_STATUS_SUCCESS && A->Active < PORTS) {
        Status = PrtActivate(A, A->Port[A->Active]);
        if (Status == NDIS_STATUS_SUCCESS) {
            A->Active++;
        }
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        PrtRelease(A);
        return NDIS_STATUS_FAILURE;
    }
    return NDIS_STATUS_SUCCESS;
}

static VOID PrtHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    PrtRelease(Context);
}

static VOID PrtUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(PrtDriver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    SimpleHandlers(&Chars, 20);
    Chars.InitializeHandlerEx = PrtInitialize;
    Chars.HaltHandlerEx = PrtHalt;
    Chars.UnloadHandler = PrtUnload;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &PrtDriver);
}
