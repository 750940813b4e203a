/* NDIS 6.50, no hardware: everything in one struct; what is sent comes back as a clone a little later; pause pends. */
#include "frame.h"

#define VNIC_TAG 'cinV'
#define MAX_QUEUE 8
#define MEMORY_ALLOCATION_ALIGNMENT 16

typedef struct _VNIC {
    NDIS_HANDLE Handle;
    NDIS_HANDLE ListPool, BufferPool;
    NDIS_HANDLE Timer;                    /* one-shot: delivers the queue */
    KSPIN_LOCK Lock;
    /* Under Lock: */
    BOOLEAN Running, Armed, PausePending;
    ULONG Queued;                         /* clones waiting for the timer */
    PNET_BUFFER_LIST Queue[MAX_QUEUE];
    ULONG Up;                             /* clones with the protocols, and this driver's calls into NDIS */
    NDIS_EVENT TimerOver;
    FRAME_OIDS Oids;
} VNIC, *PVNIC;

static NDIS_HANDLE VnicDriver;

/* A clone goes with its context and its room for a header; the original may be completed then. */
static VOID VnicFreeClone(PVNIC V, PNET_BUFFER_LIST Clone)
{
    PNET_BUFFER_LIST Original = Clone->ParentNetBufferList;

#ifndef SEED_CONTEXT_KEPT
    NdisFreeNetBufferListContext(Clone, MEMORY_ALLOCATION_ALIGNMENT);
#endif
#ifdef SEED_CLONE_AS_LIST
    NdisFreeNetBufferList(Clone);
#else
    NdisFreeCloneNetBufferList(Clone, 0);
#endif
    NET_BUFFER_LIST_STATUS(Original) = NDIS_STATUS_SUCCESS;
    NET_BUFFER_LIST_NEXT_NBL(Original) = NULL;
    NdisMSendNetBufferListsComplete(V->Handle, Original, 0);
}

/* Lock held. TRUE: the pause that was pending is over. */
static BOOLEAN VnicIdle(PVNIC V)
{
#ifdef SEED_DELIVERS_WHILE_PAUSED
    if (V->PausePending && V->Up == 0) {
#else
    if (V->PausePending && V->Up == 0 && V->Queued == 0) {
#endif
        V->PausePending = FALSE;
        return TRUE;
    }
    return FALSE;
}

static VOID VnicLeave(PVNIC V)
{
    BOOLEAN Paused;
    KIRQL Irql;

    KeAcquireSpinLock(&V->Lock, &Irql);
    V->Up--;
    Paused = VnicIdle(V);
    KeReleaseSpinLock(&V->Lock, Irql);
    if (Paused) {
        NdisMPauseComplete(V->Handle);
    }
}

static VOID VnicDeliver(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    PVNIC V = Context;
    PNET_BUFFER_LIST First = NULL, *Link = &First, Clone;
    PNET_BUFFER_LIST Dropped[MAX_QUEUE];
    ULONG i, Count = 0, Drop = 0;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
    KeAcquireSpinLockAtDpcLevel(&V->Lock);
    V->Armed = FALSE;
    V->Up++; /* this call */
    for (i = 0; i < V->Queued; i++) {
#ifdef SEED_DELIVERS_WHILE_PAUSED
        {
#else
        if (V->Running) {
#endif
            *Link = V->Queue[i];
            Link = &NET_BUFFER_LIST_NEXT_NBL(V->Queue[i]);
            V->Up++;
            Count++;
#ifndef SEED_DELIVERS_WHILE_PAUSED
        } else {
            Dropped[Drop++] = V->Queue[i];
#endif
        }
    }
    *Link = NULL;
    V->Queued = 0;
    KeReleaseSpinLockFromDpcLevel(&V->Lock);
    for (Clone = First; Clone != NULL; Clone = NET_BUFFER_LIST_NEXT_NBL(Clone)) {
        Clone->SourceHandle = V->Handle;
        NET_BUFFER_LIST_STATUS(Clone) = NDIS_STATUS_SUCCESS;
        V->Oids.Received++;
    }
    if (Count != 0) {
        NdisMIndicateReceiveNetBufferLists(V->Handle, First, 0, Count, NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
    }
    for (i = 0; i < Drop; i++) {
        VnicFreeClone(V, Dropped[i]);
    }
    NdisSetEvent(&V->TimerOver);
    VnicLeave(V);
}

static VOID VnicReturn(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, ULONG Flags)
{
    PVNIC V = Context;

    UNREFERENCED_PARAMETER(Flags);
    while (Lists != NULL) {
        PNET_BUFFER_LIST Next = NET_BUFFER_LIST_NEXT_NBL(Lists);

        NET_BUFFER_LIST_NEXT_NBL(Lists) = NULL;
        VnicFreeClone(V, Lists);
        VnicLeave(V);
        Lists = Next;
    }
}

/* NULL: the list cannot be looped back and is completed as it is. */
static PNET_BUFFER_LIST VnicClone(PVNIC V, PNET_BUFFER_LIST List)
{
    PNET_BUFFER_LIST Clone = NdisAllocateCloneNetBufferList(List, V->ListPool, V->BufferPool, 0);

    if (Clone == NULL) {
        return NULL;
    }
    Clone->ParentNetBufferList = List;
    if (NdisAllocateNetBufferListContext(Clone, MEMORY_ALLOCATION_ALIGNMENT, 0, VNIC_TAG) != NDIS_STATUS_SUCCESS) {
#ifndef SEED_CLONE_WITHOUT_CONTEXT
        NdisFreeCloneNetBufferList(Clone, 0);
#endif
        return NULL;
    }
    return Clone;
}

static VOID VnicSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    LARGE_INTEGER Due = { .QuadPart = -5 * 10000LL };
    PVNIC V = Context;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Port);
    while (Lists != NULL) {
        PNET_BUFFER_LIST List = Lists, Clone;
        BOOLEAN Running, Queued = FALSE;

        Lists = NET_BUFFER_LIST_NEXT_NBL(List);
        NET_BUFFER_LIST_NEXT_NBL(List) = NULL;
        KeAcquireSpinLock(&V->Lock, &Irql);
        Running = V->Running;
        if (Running) {
            V->Up++; /* this call */
        }
        KeReleaseSpinLock(&V->Lock, Irql);
#ifdef SEED_TAKES_WHILE_PAUSED
        if (!Running) {
            FrameCompleteSends(V->Handle, List, NDIS_STATUS_SUCCESS, Flags);
            continue;
        }
#else
        if (!Running) {
            FrameCompleteSends(V->Handle, List, NDIS_STATUS_PAUSED, Flags);
            continue;
        }
#endif
        Clone = VnicClone(V, List);
        if (Clone != NULL) {
            KeAcquireSpinLock(&V->Lock, &Irql);
            if (V->Queued < MAX_QUEUE) {
                V->Queue[V->Queued++] = Clone;
                Queued = TRUE;
                if (!V->Armed) {
                    V->Armed = TRUE;
                    NdisResetEvent(&V->TimerOver);
                    NdisSetTimerObject(V->Timer, Due, 0, NULL);
                }
            }
            KeReleaseSpinLock(&V->Lock, Irql);
        }
        V->Oids.Sent++;
        if (Clone != NULL && !Queued) {
            VnicFreeClone(V, Clone);
        } else if (Clone == NULL) {
            FrameCompleteSends(V->Handle, List, NDIS_STATUS_SUCCESS, Flags);
        }
        VnicLeave(V);
    }
}

static NDIS_STATUS VnicPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    PVNIC V = Context;
    BOOLEAN Idle;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(P);
    KeAcquireSpinLock(&V->Lock, &Irql);
    V->Running = FALSE;
#ifdef SEED_DELIVERS_WHILE_PAUSED
    Idle = V->Up == 0;
#else
    Idle = V->Up == 0 && V->Queued == 0;
#endif
#ifndef SEED_PAUSE_NEVER
    V->PausePending = !Idle; /* the timer or the last return completes it */
#endif
    KeReleaseSpinLock(&V->Lock, Irql);
    return Idle ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PENDING;
}

static NDIS_STATUS VnicRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    PVNIC V = Context;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(P);
    KeAcquireSpinLock(&V->Lock, &Irql);
    V->Running = TRUE;
    KeReleaseSpinLock(&V->Lock, Irql);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS VnicInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    static const UCHAR Address[] = { 2, 0x56, 0x4E, 0x49, 0x43, 1 };
    NET_BUFFER_LIST_POOL_PARAMETERS Lists = { 0 };
    NET_BUFFER_POOL_PARAMETERS Buffers = { 0 };
    NDIS_TIMER_CHARACTERISTICS Timer = { 0 };
    NDIS_STATUS Status;
    PVNIC V;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);
    V = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*V), VNIC_TAG, NormalPoolPriority);
    if (V == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(V, sizeof(*V));
    V->Handle = Handle;
    KeInitializeSpinLock(&V->Lock);
    NdisInitializeEvent(&V->TimerOver);
    NdisSetEvent(&V->TimerOver);
    NdisMoveMemory(V->Oids.Address, Address, sizeof(Address));
    Status = FrameRegistrationAttributes(Handle, V, 0, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto Fail;
    }
    Lists.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Lists.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Lists.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Lists.PoolTag = VNIC_TAG;
    V->ListPool = NdisAllocateNetBufferListPool(Handle, &Lists);
    Buffers.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Buffers.Header.Revision = NET_BUFFER_POOL_PARAMETERS_REVISION_1;
    Buffers.Header.Size = NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1;
    Buffers.PoolTag = VNIC_TAG;
    V->BufferPool = NdisAllocateNetBufferPool(Handle, &Buffers);
#ifdef SEED_ONE_CHECK
    if (V->ListPool == NULL) {
#else
    if (V->ListPool == NULL || V->BufferPool == NULL) {
#endif
        Status = NDIS_STATUS_RESOURCES;
        goto Fail;
    }
    Timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
    Timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.AllocationTag = VNIC_TAG;
    Timer.TimerFunction = VnicDeliver;
    Timer.FunctionContext = V;
    Status = NdisAllocateTimerObject(Handle, &Timer, &V->Timer);
    if (Status != NDIS_STATUS_SUCCESS) {
        V->Timer = NULL;
        goto Fail;
    }
    Status = FrameGeneralAttributes(Handle, Address, NULL);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto Fail;
    }
    return NDIS_STATUS_SUCCESS;
Fail:
    if (V->Timer != NULL) {
        NdisFreeTimerObject(V->Timer);
    }
    if (V->BufferPool != NULL) {
        NdisFreeNetBufferPool(V->BufferPool);
    }
    if (V->ListPool != NULL) {
        NdisFreeNetBufferListPool(V->ListPool);
    }
    NdisFreeMemory(V, 0, 0);
    return Status;
}

static VOID VnicHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PVNIC V = Context;

    UNREFERENCED_PARAMETER(Action);
    if (!NdisCancelTimerObject(V->Timer)) {
        NdisWaitEvent(&V->TimerOver, 0);
    }
#ifndef SEED_TIMER_OBJECT
    NdisFreeTimerObject(V->Timer);
#endif
    NdisFreeNetBufferPool(V->BufferPool);
    NdisFreeNetBufferListPool(V->ListPool);
    NdisFreeMemory(V, 0, 0);
}

static NDIS_STATUS VnicOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    PVNIC V = Context;
    NDIS_STATUS Status = FrameOid(&V->Oids, Request);

#ifdef SEED_WROTE_ALL
    if (Status == NDIS_STATUS_BUFFER_TOO_SHORT) {
        Request->DATA.QUERY_INFORMATION.BytesWritten = Request->DATA.QUERY_INFORMATION.BytesNeeded;
    }
#endif
    return Status;
}

static VOID VnicUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(VnicDriver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 50);
    FrameQuietHandlers(&Chars);
    Chars.InitializeHandlerEx = VnicInitialize;
#ifndef SEED_NO_HALT_HANDLER
    Chars.HaltHandlerEx = VnicHalt;
#else
    (void)VnicHalt;
#endif
    Chars.UnloadHandler = VnicUnload;
    Chars.PauseHandler = VnicPause;
    Chars.RestartHandler = VnicRestart;
    Chars.OidRequestHandler = VnicOid;
    Chars.SendNetBufferListsHandler = VnicSend;
    Chars.ReturnNetBufferListsHandler = VnicReturn;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &VnicDriver);
}
