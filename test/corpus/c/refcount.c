/* NDIS 6.20, no hardware: the context counts its references; halt waits for the last one. OIDs are answered later. */
#include "frame.h"

typedef struct REF_CONTEXT {
    LONG References;
    NDIS_HANDLE Miniport;
    NDIS_HANDLE Timer;
    NDIS_HANDLE Worker;
    PNDIS_OID_REQUEST Request; /* the one OID NDIS has given us */
    KEVENT Gone;
    PVOID Multicast;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} REF_CONTEXT;

static NDIS_HANDLE RefDriver;

static VOID RefAcquire(REF_CONTEXT *Ctx)
{
    InterlockedIncrement(&Ctx->References);
}

static VOID RefRelease(REF_CONTEXT *Ctx)
{
    if (InterlockedDecrement(&Ctx->References) == 0)
        KeSetEvent(&Ctx->Gone, IO_NO_INCREMENT, FALSE);
}

/* Gives up the creator's reference and frees the context when the others are gone. */
static VOID RefDestroy(REF_CONTEXT *Ctx)
{
    RefRelease(Ctx);
    KeWaitForSingleObject(&Ctx->Gone, Executive, KernelMode, FALSE, NULL);
    if (Ctx->Multicast != NULL)
        NdisFreeMemory(Ctx->Multicast, 0, 0);
    if (Ctx->Worker != NULL)
        NdisFreeIoWorkItem(Ctx->Worker);
    if (Ctx->Timer != NULL)
        NdisFreeTimerObject(Ctx->Timer);
    NdisFreeMemory(Ctx, 0, 0);
}

static VOID RefWork(PVOID Context, NDIS_HANDLE Item)
{
    REF_CONTEXT *Ctx = Context;
    PNDIS_OID_REQUEST Request;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(Item);
    Request = InterlockedExchangePointer((PVOID *)&Ctx->Request, NULL);
    if (Request == NULL)
        return;
    if (Request->RequestType == NdisRequestSetInformation &&
        Request->DATA.SET_INFORMATION.Oid == OID_802_3_MULTICAST_LIST) {
        UINT Length = Request->DATA.SET_INFORMATION.InformationBufferLength;
        PVOID Copy = NULL;

        if (Length != 0) {
            Copy = NdisAllocateMemoryWithTagPriority(Ctx->Miniport, Length, ' feR', NormalPoolPriority);
            if (Copy == NULL) {
                NdisMOidRequestComplete(Ctx->Miniport, Request, NDIS_STATUS_RESOURCES);
#ifndef SEED_REFERENCE_ON_ERROR
                RefRelease(Ctx);
#endif
                return;
            }
            NdisMoveMemory(Copy, Request->DATA.SET_INFORMATION.InformationBuffer, Length);
        }
#ifdef SEED_LIST_REPLACED
        if (Ctx->Multicast != NULL && Copy != NULL)
#else
        if (Ctx->Multicast != NULL)
#endif
            NdisFreeMemory(Ctx->Multicast, 0, 0);
        Ctx->Multicast = Copy;
    }
    Status = FrameOid(&Ctx->Oids, Request);
    NdisMOidRequestComplete(Ctx->Miniport, Request, Status);
    RefRelease(Ctx);
}

static NDIS_STATUS RefOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    REF_CONTEXT *Ctx = Context;

    RefAcquire(Ctx);
    Ctx->Request = Request;
    NdisQueueIoWorkItem(Ctx->Worker, RefWork, Ctx);
    return NDIS_STATUS_PENDING;
}

static VOID RefArm(REF_CONTEXT *Ctx)
{
    LARGE_INTEGER Due;

    Due.QuadPart = -15 * 10000LL;
    RefAcquire(Ctx);
    NdisSetTimerObject(Ctx->Timer, Due, 0, NULL);
}

/* Runs out by itself once the gate is closed. */
static VOID RefTimer(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    REF_CONTEXT *Ctx = Context;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
    Ctx->Oids.Received++;
    if (FrameGateEnter(&Ctx->Gate)) {
        RefArm(Ctx);
        FrameGateLeave(&Ctx->Gate);
    }
    RefRelease(Ctx);
}

static NDIS_STATUS RefInitialize(NDIS_HANDLE Miniport, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    static const UCHAR Address[] = { 2, 0x52, 0x45, 0x46, 0, 1 };
    NDIS_TIMER_CHARACTERISTICS Timer;
    REF_CONTEXT *Ctx;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);
    Ctx = NdisAllocateMemoryWithTagPriority(Miniport, sizeof(*Ctx), ' feR', NormalPoolPriority);
    if (Ctx == NULL)
        return NDIS_STATUS_RESOURCES;
    NdisZeroMemory(Ctx, sizeof(*Ctx));
    Ctx->References = 1;
    Ctx->Miniport = Miniport;
    KeInitializeEvent(&Ctx->Gone, NotificationEvent, FALSE);
    FrameGateInitialize(&Ctx->Gate);
    NdisMoveMemory(Ctx->Oids.Address, Address, sizeof(Address));
    Status = FrameRegistrationAttributes(Miniport, Ctx, 0, 0);
    if (Status != NDIS_STATUS_SUCCESS)
        goto Done;
    NdisZeroMemory(&Timer, sizeof(Timer));
    Timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
    Timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.AllocationTag = ' feR';
    Timer.TimerFunction = RefTimer;
    Timer.FunctionContext = Ctx;
    Status = NdisAllocateTimerObject(Miniport, &Timer, &Ctx->Timer);
    if (Status != NDIS_STATUS_SUCCESS) {
        Ctx->Timer = NULL;
        goto Done;
    }
    Ctx->Worker = NdisAllocateIoWorkItem(Miniport);
    if (Ctx->Worker == NULL) {
        Status = NDIS_STATUS_RESOURCES;
        goto Done;
    }
    Status = FrameGeneralAttributes(Miniport, Address, NULL);
Done:
    if (Status != NDIS_STATUS_SUCCESS)
        RefDestroy(Ctx);
    return Status;
}

static VOID RefHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    REF_CONTEXT *Ctx = Context;

    UNREFERENCED_PARAMETER(Action);
#ifdef SEED_CANCEL_TAKES_IT
    /* The timer's reference goes with the timer. */
    if (Ctx->Timer != NULL) {
        NdisCancelTimerObject(Ctx->Timer);
        if (Ctx->References > 1)
            RefRelease(Ctx);
    }
#else
    if (NdisCancelTimerObject(Ctx->Timer))
        RefRelease(Ctx);
#endif
    RefDestroy(Ctx);
}

static NDIS_STATUS RefRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    REF_CONTEXT *Ctx = Context;

    UNREFERENCED_PARAMETER(P);
    FrameGateOpen(&Ctx->Gate);
    RefArm(Ctx);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS RefPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    REF_CONTEXT *Ctx = Context;

    UNREFERENCED_PARAMETER(P);
    FrameGateClose(&Ctx->Gate); /* the timer runs out; halt sees to it */
    return NDIS_STATUS_SUCCESS;
}

static VOID RefSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    REF_CONTEXT *Ctx = Context;
    BOOLEAN Open = FrameGateEnter(&Ctx->Gate);

    UNREFERENCED_PARAMETER(Port);
    FrameCompleteSends(Ctx->Miniport, Lists, Open ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, Flags);
    if (Open)
        FrameGateLeave(&Ctx->Gate);
}

static VOID RefUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(RefDriver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 20);
    FrameQuietHandlers(&Chars);
    Chars.InitializeHandlerEx = RefInitialize;
    Chars.HaltHandlerEx = RefHalt;
    Chars.UnloadHandler = RefUnload;
    Chars.PauseHandler = RefPause;
    Chars.RestartHandler = RefRestart;
    Chars.OidRequestHandler = RefOid;
    Chars.SendNetBufferListsHandler = RefSend;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &RefDriver);
}
