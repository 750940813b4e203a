/* NDIS 6.50, no hardware: acquisitions are a table of { do, undo }; initialize walks it down, halt walks it up. */
#include "frame.h"

typedef struct _TBL {
    NDIS_HANDLE Adapter;
    PULONG Hash;
    NDIS_HANDLE ListPool;
    PNET_BUFFER_LIST Spare[4];
    PMDL SpareMdl[4];
    UCHAR SpareData[4][256];
    LOOKASIDE_LIST_EX Contexts;
    ERESOURCE Config;
    PNDIS_RW_LOCK_EX Lock;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} TBL, *PTBL;

typedef struct _STEP {
    NDIS_STATUS (*Do)(PTBL T);
    VOID (*Undo)(PTBL T);
} STEP;

static NDIS_HANDLE TblDriver;

static NDIS_STATUS DoHash(PTBL T)
{
    T->Hash = NdisAllocateMemoryWithTagPriority(T->Adapter, 64 * sizeof(ULONG), 'LBT ', NormalPoolPriority);
    return T->Hash == NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
}

static VOID UndoHash(PTBL T)
{
    NdisFreeMemoryWithTagPriority(T->Adapter, T->Hash, 'LBT ');
}

static NDIS_STATUS DoPool(PTBL T)
{
    NET_BUFFER_LIST_POOL_PARAMETERS P;

    NdisZeroMemory(&P, sizeof(P));
    P.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    P.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    P.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    P.fAllocateNetBuffer = TRUE;
    P.PoolTag = 'LBT ';
    T->ListPool = NdisAllocateNetBufferListPool(T->Adapter, &P);
    return T->ListPool == NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
}

static VOID UndoPool(PTBL T)
{
    NdisFreeNetBufferListPool(T->ListPool);
}

static VOID UndoSpares(PTBL T)
{
    ULONG i;

    for (i = 0; i < ARRAYSIZE(T->Spare); i++) {
        if (T->Spare[i] != NULL) {
            NdisFreeNetBufferList(T->Spare[i]);
        }
        if (T->SpareMdl[i] != NULL) {
            NdisFreeMdl(T->SpareMdl[i]);
        }
    }
}

/* A step that fails has undone itself. */
static NDIS_STATUS DoSpares(PTBL T)
{
    ULONG i;

    for (i = 0; i < ARRAYSIZE(T->Spare); i++) {
        T->SpareMdl[i] = NdisAllocateMdl(T->Adapter, T->SpareData[i], sizeof(T->SpareData[i]));
        if (T->SpareMdl[i] == NULL) {
            break;
        }
        T->Spare[i] = NdisAllocateNetBufferAndNetBufferList(T->ListPool, 0, 0, T->SpareMdl[i], 0, 0);
        if (T->Spare[i] == NULL) {
            break;
        }
    }
    if (i == ARRAYSIZE(T->Spare)) {
        return NDIS_STATUS_SUCCESS;
    }
#ifndef SEED_STEP_HALF_DONE
    UndoSpares(T);
#endif
    return NDIS_STATUS_RESOURCES;
}

static NDIS_STATUS DoContexts(PTBL T)
{
    return ExInitializeLookasideListEx(&T->Contexts, NULL, NULL, NonPagedPoolNx, 0, 128, 'LBT ', 0) == STATUS_SUCCESS
               ? NDIS_STATUS_SUCCESS
               : NDIS_STATUS_RESOURCES;
}

static VOID UndoContexts(PTBL T)
{
#ifdef SEED_UNUSED_LIST
    if (T->Contexts.L.TotalAllocates == 0) {
        return; /* nothing was ever taken from it */
    }
#endif
    ExDeleteLookasideListEx(&T->Contexts);
}

static NDIS_STATUS DoConfig(PTBL T)
{
    return ExInitializeResourceLite(&T->Config);
}

static VOID UndoConfig(PTBL T)
{
    ExDeleteResourceLite(&T->Config);
}

static NDIS_STATUS DoLock(PTBL T)
{
    T->Lock = NdisAllocateRWLock(T->Adapter);
    return T->Lock == NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
}

static VOID UndoLock(PTBL T)
{
    NdisFreeRWLock(T->Lock);
}

static NDIS_STATUS DoGeneral(PTBL T)
{
    return FrameGeneralAttributes(T->Adapter, T->Oids.Address, NULL);
}

static VOID UndoNothing(PTBL T)
{
    UNREFERENCED_PARAMETER(T);
}

static const STEP Steps[] = {
    { DoHash, UndoHash },
    { DoPool, UndoPool },
    { DoSpares, UndoSpares },
    { DoContexts, UndoContexts },
    { DoConfig, UndoConfig },
    { DoLock, UndoLock },
    { DoGeneral, UndoNothing },
};

static VOID Unwind(PTBL T, ULONG Done)
{
#if defined(SEED_FORWARDS)
    ULONG i;

    for (i = 0; i < Done; i++) {
        Steps[i].Undo(T);
    }
#else
    while (Done-- > 0) {
        Steps[Done].Undo(T);
    }
#endif
    NdisFreeMemory(T, 0, 0);
}

static NDIS_STATUS TblInitialize(NDIS_HANDLE Adapter, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    static const UCHAR Address[] = { 2, 0x54, 0x42, 0x4C, 0, 1 };
    NDIS_STATUS Status;
    ULONG i;
    PTBL T;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);
    T = NdisAllocateMemoryWithTagPriority(Adapter, sizeof(*T), 'LBT ', NormalPoolPriority);
    if (T == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(T, sizeof(*T));
    T->Adapter = Adapter;
    FrameGateInitialize(&T->Gate);
    NdisMoveMemory(T->Oids.Address, Address, sizeof(Address));
    Status = FrameRegistrationAttributes(Adapter, T, 0, 0);
    for (i = 0; Status == NDIS_STATUS_SUCCESS && i < ARRAYSIZE(Steps); i++) {
        Status = Steps[i].Do(T);
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        /* Step i - 1 failed: those before it are undone. */
#ifdef SEED_OFF_BY_ONE
        Unwind(T, i < 2 ? 0 : i - 2);
#else
        Unwind(T, i == 0 ? 0 : i - 1);
#endif
        return NDIS_STATUS_FAILURE;
    }
    return NDIS_STATUS_SUCCESS;
}

static VOID TblHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    Unwind(Context, ARRAYSIZE(Steps));
}

static NDIS_STATUS TblPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateClose(&((PTBL)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS TblRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateOpen(&((PTBL)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static VOID TblSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PTBL T = Context;
    PVOID Entry;

    UNREFERENCED_PARAMETER(Port);
    if (!FrameGateEnter(&T->Gate)) {
        FrameCompleteSends(T->Adapter, Lists, NDIS_STATUS_PAUSED, Flags);
        return;
    }
    Entry = ExAllocateFromLookasideListEx(&T->Contexts);
    FrameCompleteSends(T->Adapter, Lists, Entry == NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS, Flags);
    if (Entry != NULL) {
        ExFreeToLookasideListEx(&T->Contexts, Entry);
    }
    FrameGateLeave(&T->Gate);
}

static NDIS_STATUS TblOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    PTBL T = Context;
    NDIS_STATUS Status;

    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&T->Config, TRUE);
    Status = FrameOid(&T->Oids, Request);
    ExReleaseResourceLite(&T->Config);
    KeLeaveCriticalRegion();
    return Status;
}

static VOID TblUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(TblDriver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 50);
    FrameQuietHandlers(&Chars);
    Chars.InitializeHandlerEx = TblInitialize;
    Chars.HaltHandlerEx = TblHalt;
    Chars.UnloadHandler = TblUnload;
    Chars.PauseHandler = TblPause;
    Chars.RestartHandler = TblRestart;
    Chars.OidRequestHandler = TblOid;
    Chars.SendNetBufferListsHandler = TblSend;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &TblDriver);
}
