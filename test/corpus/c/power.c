/* NDIS 6.40 with power management: stays initialized over sleep (NO_HALT_ON_SUSPEND), goes to D3 and back by OID. */
#include "board.h"
#include "simple.h"

typedef struct _PWR_ADAPTER {
    SIMPLE Simple;
    PUCHAR Bar;
    NDIS_HANDLE Watch;         /* looks at the link fifty times a second */
    PVOID Saved;               /* registers, over D3 */
    NDIS_DEVICE_POWER_STATE State;
    BOOLEAN Watching;
    BOOLEAN Halting;
} PWR_ADAPTER, *PPWR_ADAPTER;

static NDIS_HANDLE PwrDriver;

static VOID PwrWatch(PVOID A1, PVOID Context, PVOID A2, PVOID A3)
{
    PPWR_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(A1);
    UNREFERENCED_PARAMETER(A2);
    UNREFERENCED_PARAMETER(A3);
    if (BoardRead(A->Bar, STATUS) != GONE) {
        A->Simple.Oids.Received++;
    }
}

static VOID PwrStartWatch(PPWR_ADAPTER A)
{
    LARGE_INTEGER Due;

    Due.QuadPart = -20 * 10000LL;
    NdisSetTimerObject(A->Watch, Due, 20, NULL);
    A->Watching = TRUE;
}

static VOID PwrStopWatch(PPWR_ADAPTER A)
{
    if (A->Watching) {
        NdisCancelTimerObject(A->Watch);
        A->Watching = FALSE;
    }
}

static NDIS_STATUS PwrSetPower(PPWR_ADAPTER A, NDIS_DEVICE_POWER_STATE State)
{
    if (State == A->State) {
        return NDIS_STATUS_SUCCESS;
    }
    if (State != NdisDeviceStateD0) {
        if (A->State != NdisDeviceStateD0) {
            A->State = State;
            return NDIS_STATUS_SUCCESS;
        }
#ifndef SEED_WATCH_IN_D3
        PwrStopWatch(A);
#endif
#ifdef SEED_SAVED_EACH_TIME
        A->Saved = NdisAllocateMemoryWithTagPriority(A->Simple.Handle, 128, ' rwP', NormalPoolPriority);
        if (A->Saved == NULL) {
            return NDIS_STATUS_SUCCESS;
        }
#endif
        *(PULONG)A->Saved = BoardRead(A->Bar, IMS);
        BoardStop(A->Bar);
        A->State = State;
        return NDIS_STATUS_SUCCESS;
    }
    A->State = State;
    BoardReset(A->Bar);
    BoardWrite(A->Bar, IMS, *(PULONG)A->Saved & 0);
    PwrStartWatch(A);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS PwrOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    PPWR_ADAPTER A = Context;

    if (Request->RequestType == NdisRequestSetInformation && Request->DATA.SET_INFORMATION.Oid == OID_PNP_SET_POWER) {
        if (Request->DATA.SET_INFORMATION.InformationBufferLength < sizeof(NDIS_DEVICE_POWER_STATE)) {
            Request->DATA.SET_INFORMATION.BytesNeeded = sizeof(NDIS_DEVICE_POWER_STATE);
            return NDIS_STATUS_INVALID_LENGTH;
        }
        Request->DATA.SET_INFORMATION.BytesRead = sizeof(NDIS_DEVICE_POWER_STATE);
#ifdef SEED_REFUSES_POWER
        if (!A->Simple.Gate.Open) {
            return NDIS_STATUS_FAILURE;
        }
#endif
        return PwrSetPower(A, *(PNDIS_DEVICE_POWER_STATE)Request->DATA.SET_INFORMATION.InformationBuffer);
    }
    return FrameOid(&A->Simple.Oids, Request);
}

static VOID PwrRelease(PPWR_ADAPTER A)
{
    if (A->Watch != NULL) {
        PwrStopWatch(A);
        NdisFreeTimerObject(A->Watch);
    }
    if (A->Saved != NULL) {
        NdisFreeMemory(A->Saved, 0, 0);
    }
    if (A->Bar != NULL) {
        NdisMUnmapIoSpace(A->Simple.Handle, A->Bar, BOARD_REGISTERS);
    }
    NdisFreeMemory(A, 0, 0);
}

static NDIS_STATUS PwrAcquire(PPWR_ADAPTER A, PNDIS_RESOURCE_LIST Resources)
{
    NDIS_PNP_CAPABILITIES Power = { 0, { NdisDeviceStateUnspecified, NdisDeviceStateUnspecified,
                                         NdisDeviceStateUnspecified } };
    NDIS_TIMER_CHARACTERISTICS Timer = { 0 };
    NDIS_STATUS Status;
    BOARD Board;

    if (!BoardFind(Resources, &Board)) {
        return NDIS_STATUS_RESOURCES;
    }
    Status = NdisMMapIoSpace((PVOID *)&A->Bar, A->Simple.Handle, Board.Registers, BOARD_REGISTERS);
    if (Status != NDIS_STATUS_SUCCESS) {
        A->Bar = NULL;
        return Status;
    }
    if (!BoardReset(A->Bar)) {
        return NDIS_STATUS_FAILURE;
    }
    A->Saved = NdisAllocateMemoryWithTagPriority(A->Simple.Handle, 128, ' rwP', NormalPoolPriority);
    if (A->Saved == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    Timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
    Timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.AllocationTag = ' rwP';
    Timer.TimerFunction = PwrWatch;
    Timer.FunctionContext = A;
    Status = NdisAllocateTimerObject(A->Simple.Handle, &Timer, &A->Watch);
    if (Status != NDIS_STATUS_SUCCESS) {
        A->Watch = NULL;
        return Status;
    }
    return FrameGeneralAttributes(A->Simple.Handle, A->Simple.Oids.Address, &Power);
}

static NDIS_STATUS PwrInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NDIS_STATUS Status;
    PPWR_ADAPTER A;

    UNREFERENCED_PARAMETER(Context);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), ' rwP', NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    A->State = NdisDeviceStateD0;
    Status = SimpleBegin(&A->Simple, Handle,
                         NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND);
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = PwrAcquire(A, Init->AllocatedResources);
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        PwrRelease(A);
        return Status;
    }
    PwrStartWatch(A);
    return NDIS_STATUS_SUCCESS;
}

static VOID PwrHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PPWR_ADAPTER A = Context;

    A->Halting = TRUE;
#ifdef SEED_STOP_KEEPS
    if (Action == NdisHaltDeviceStopped || Action == NdisHaltDevicePoweredDown) {
        /* It will be back. */
        PwrStopWatch(A);
        NdisFreeTimerObject(A->Watch);
        NdisMUnmapIoSpace(A->Simple.Handle, A->Bar, BOARD_REGISTERS);
        NdisFreeMemory(A, 0, 0);
        return;
    }
#else
    UNREFERENCED_PARAMETER(Action);
#endif
#ifdef SEED_HALT_IN_D3
    BoardStop(A->Bar);
#else
    if (A->State == NdisDeviceStateD0) {
        BoardStop(A->Bar);
    }
#endif
    PwrRelease(A);
}

static VOID PwrShutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    PPWR_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Action);
    if (!A->Halting && A->State == NdisDeviceStateD0) {
        BoardStop(A->Bar);
    }
}

static VOID PwrUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(PwrDriver);
}

FRAME_SURPRISE(PwrPnp, PWR_ADAPTER, Simple.Gate, Simple.Oids)

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    SimpleHandlers(&Chars, 40);
    Chars.DevicePnPEventNotifyHandler = PwrPnp;
    Chars.InitializeHandlerEx = PwrInitialize;
    Chars.HaltHandlerEx = PwrHalt;
    Chars.UnloadHandler = PwrUnload;
    Chars.OidRequestHandler = PwrOid;
    Chars.ShutdownHandlerEx = PwrShutdown;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &PwrDriver);
}
