/* NDIS 6.20, no hardware: a bit for each thing acquired; one Teardown undoes what the bits say, for halt and for initialize. */
#include "frame.h"

#define FLG_TAG 'sglF'

#define FLG_NBL_POOL 0x0001
#define FLG_NB_POOL 0x0002
#define FLG_TIMER 0x0004
#define FLG_WORK_ITEM 0x0008
#define FLG_RW_LOCK 0x0010
#ifdef SEED_SAME_BIT
#define FLG_STATISTICS 0x0010
#else
#define FLG_STATISTICS 0x0020
#endif
#define FLG_LOOKASIDE 0x0040
#define FLG_TIMER_SET 0x0080

typedef struct _FLG_ADAPTER {
    DECLSPEC_ALIGN(64) NPAGED_LOOKASIDE_LIST Descriptors;
    NDIS_HANDLE MiniportHandle;
    ULONG Acquired;
    NDIS_HANDLE NblPool;
    NDIS_HANDLE NbPool;
    NDIS_HANDLE Timer;
    NDIS_HANDLE WorkItem;
    PNDIS_RW_LOCK_EX FilterLock;
    PULONG64 Statistics;
    FRAME_JOB Work;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} FLG_ADAPTER, *PFLG_ADAPTER;

static NDIS_HANDLE FlgDriverHandle;

static VOID FlgWork(PVOID Context, NDIS_HANDLE WorkItem)
{
    PFLG_ADAPTER Adapter = Context;
    LOCK_STATE_EX State;

    UNREFERENCED_PARAMETER(WorkItem);
    NdisAcquireRWLockRead(Adapter->FilterLock, &State, 0);
    Adapter->Statistics[0] = Adapter->Oids.Sent;
    NdisReleaseRWLock(Adapter->FilterLock, &State);
    FrameJobEnd(&Adapter->Work);
}

static VOID FlgTick(PVOID R1, PVOID Context, PVOID R2, PVOID R3)
{
    PFLG_ADAPTER Adapter = Context;

    UNREFERENCED_PARAMETER(R1);
    UNREFERENCED_PARAMETER(R2);
    UNREFERENCED_PARAMETER(R3);
    if (FrameJobBegin(&Adapter->Work)) {
        NdisQueueIoWorkItem(Adapter->WorkItem, FlgWork, Adapter);
    }
}

static VOID FlgTeardown(PFLG_ADAPTER Adapter)
{
    ULONG Acquired = Adapter->Acquired;

    if (Acquired & FLG_TIMER_SET) {
        NdisCancelTimerObject(Adapter->Timer); /* periodic: the last tick is over when it returns */
        FrameJobWait(&Adapter->Work);
    }
    if (Acquired & FLG_STATISTICS) {
        NdisFreeMemory(Adapter->Statistics, 0, 0);
        Acquired &= ~FLG_STATISTICS;
    }
    if (Acquired & FLG_RW_LOCK) {
        NdisFreeRWLock(Adapter->FilterLock);
    }
    if (Acquired & FLG_WORK_ITEM) {
        NdisFreeIoWorkItem(Adapter->WorkItem);
    }
    if (Acquired & FLG_TIMER) {
        NdisFreeTimerObject(Adapter->Timer);
    }
#ifdef SEED_ELSE_IF
    if (Acquired & FLG_NBL_POOL) {
        NdisFreeNetBufferListPool(Adapter->NblPool);
    } else if (Acquired & FLG_NB_POOL) {
        NdisFreeNetBufferPool(Adapter->NbPool);
    }
#else
    if (Acquired & FLG_NB_POOL) {
        NdisFreeNetBufferPool(Adapter->NbPool);
    }
    if (Acquired & FLG_NBL_POOL) {
        NdisFreeNetBufferListPool(Adapter->NblPool);
    }
#endif
    if (Acquired & FLG_LOOKASIDE) {
        NdisDeleteNPagedLookasideList(&Adapter->Descriptors);
    }
    NdisFreeMemory(Adapter, sizeof(*Adapter), 0);
}

static NDIS_STATUS FlgAcquirePools(PFLG_ADAPTER Adapter)
{
    NET_BUFFER_LIST_POOL_PARAMETERS Lists = {
        .Header = { NDIS_OBJECT_TYPE_DEFAULT, NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
                    NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1 },
        .PoolTag = FLG_TAG,
    };
    NET_BUFFER_POOL_PARAMETERS Buffers = {
        .Header = { NDIS_OBJECT_TYPE_DEFAULT, NET_BUFFER_POOL_PARAMETERS_REVISION_1,
                    NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1 },
        .PoolTag = FLG_TAG,
    };

    Adapter->NblPool = NdisAllocateNetBufferListPool(Adapter->MiniportHandle, &Lists);
    if (Adapter->NblPool == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    Adapter->Acquired |= FLG_NBL_POOL;
    Adapter->NbPool = NdisAllocateNetBufferPool(Adapter->MiniportHandle, &Buffers);
    if (Adapter->NbPool == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    Adapter->Acquired |= FLG_NB_POOL;
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS FlgInitialize(NDIS_HANDLE MiniportHandle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    static const UCHAR Address[] = { 2, 0x46, 0x4C, 0x47, 0, 1 };
    NDIS_TIMER_CHARACTERISTICS Timer = {
        .Header = { NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS, NDIS_TIMER_CHARACTERISTICS_REVISION_1,
                    NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1 },
        .AllocationTag = FLG_TAG,
        .TimerFunction = FlgTick,
    };
    PFLG_ADAPTER Adapter;
    NDIS_STATUS Status;
    LARGE_INTEGER Due = { .QuadPart = -10000 * 100LL };

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);

    Adapter = NdisAllocateMemoryWithTagPriority(MiniportHandle, sizeof(*Adapter), FLG_TAG, NormalPoolPriority);
    if (Adapter == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(Adapter, sizeof(*Adapter));
    Adapter->MiniportHandle = MiniportHandle;
    FrameGateInitialize(&Adapter->Gate);
    FrameJobInitialize(&Adapter->Work);
    NdisMoveMemory(Adapter->Oids.Address, Address, sizeof(Address));
    NdisInitializeNPagedLookasideList(&Adapter->Descriptors, NULL, NULL, 0, 64, FLG_TAG, 0);
    Adapter->Acquired |= FLG_LOOKASIDE;

    do {
        Status = FrameRegistrationAttributes(MiniportHandle, Adapter, 0, 0);
        if (Status != NDIS_STATUS_SUCCESS) {
            break;
        }
        Status = FlgAcquirePools(Adapter);
        if (Status != NDIS_STATUS_SUCCESS) {
            break;
        }
#ifdef SEED_BIT_BEFORE_CALL
        Adapter->Acquired |= FLG_TIMER;
#endif
        Timer.FunctionContext = Adapter;
        Status = NdisAllocateTimerObject(MiniportHandle, &Timer, &Adapter->Timer);
        if (Status != NDIS_STATUS_SUCCESS) {
            break;
        }
        Adapter->Acquired |= FLG_TIMER;

        Status = NDIS_STATUS_RESOURCES;
        Adapter->WorkItem = NdisAllocateIoWorkItem(MiniportHandle);
        if (Adapter->WorkItem == NULL) {
            break;
        }
        Adapter->Acquired |= FLG_WORK_ITEM;
        Adapter->FilterLock = NdisAllocateRWLock(MiniportHandle);
        if (Adapter->FilterLock == NULL) {
#ifdef SEED_BIT_CLEARED
            Adapter->Acquired ^= FLG_WORK_ITEM;
#endif
            break;
        }
        Adapter->Acquired |= FLG_RW_LOCK;
        Adapter->Statistics = NdisAllocateMemoryWithTagPriority(MiniportHandle, 512, FLG_TAG, NormalPoolPriority);
        if (Adapter->Statistics == NULL) {
            break;
        }
        Adapter->Acquired |= FLG_STATISTICS;
        Status = FrameGeneralAttributes(MiniportHandle, Address, NULL);
    } while (FALSE);

    if (Status != NDIS_STATUS_SUCCESS) {
        FlgTeardown(Adapter);
        return Status;
    }
    NdisSetTimerObject(Adapter->Timer, Due, 100, NULL);
    Adapter->Acquired |= FLG_TIMER_SET;
    return NDIS_STATUS_SUCCESS;
}

static VOID FlgHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    FlgTeardown(Context);
}

static NDIS_STATUS FlgPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS Parameters)
{
    UNREFERENCED_PARAMETER(Parameters);
    FrameGateClose(&((PFLG_ADAPTER)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS FlgRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS Parameters)
{
    UNREFERENCED_PARAMETER(Parameters);
    FrameGateOpen(&((PFLG_ADAPTER)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS FlgOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&((PFLG_ADAPTER)Context)->Oids, Request);
}

/* Each list gets a descriptor while it is under way. */
static VOID FlgSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PFLG_ADAPTER Adapter = Context;
    PVOID Descriptor;

    UNREFERENCED_PARAMETER(Port);
    if (!FrameGateEnter(&Adapter->Gate)) {
        FrameCompleteSends(Adapter->MiniportHandle, Lists, NDIS_STATUS_PAUSED, Flags);
        return;
    }
    Descriptor = NdisAllocateFromNPagedLookasideList(&Adapter->Descriptors);
    if (Descriptor == NULL) {
        FrameCompleteSends(Adapter->MiniportHandle, Lists, NDIS_STATUS_RESOURCES, Flags);
        FrameGateLeave(&Adapter->Gate);
        return;
    }
    NdisZeroMemory(Descriptor, 64);
    Adapter->Oids.Sent++;
    FrameCompleteSends(Adapter->MiniportHandle, Lists, NDIS_STATUS_SUCCESS, Flags);
#ifdef SEED_ENTRY_KEPT
    if (Adapter->Oids.Sent % 2 == 0)
#endif
    NdisFreeToNPagedLookasideList(&Adapter->Descriptors, Descriptor);
    FrameGateLeave(&Adapter->Gate);
}

static VOID FlgUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(FlgDriverHandle);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 20);
    FrameQuietHandlers(&Chars);
    Chars.InitializeHandlerEx = FlgInitialize;
    Chars.HaltHandlerEx = FlgHalt;
    Chars.UnloadHandler = FlgUnload;
    Chars.PauseHandler = FlgPause;
    Chars.RestartHandler = FlgRestart;
    Chars.OidRequestHandler = FlgOid;
    Chars.SendNetBufferListsHandler = FlgSend;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &FlgDriverHandle);
}
