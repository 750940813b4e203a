/* A timer that indicates a frame, once the adapter has been up for two seconds; the protocols give it back when they like. */
#define RACE_MEMBERS NDIS_HANDLE Pool; PMDL Mdl; PNET_BUFFER_LIST Nbl; BOOLEAN Up, Waits;
#define RACE_HANDLERS
#include "race.h"

#define FRAME_BYTES 64

static VOID Indicate(PRACE R)
{
    NdisMIndicateReceiveNetBufferLists(R->Simple.Handle, R->Nbl, 0, 1, NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
}

static VOID Tick(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    PRACE R = Context;
    BOOLEAN Up;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
#ifdef SEED_LOOKS_THEN_INDICATES
    Up = R->Up;
    KeAcquireSpinLockAtDpcLevel(&R->Lock);
#else
    KeAcquireSpinLockAtDpcLevel(&R->Lock);
    Up = R->Up;
#endif
    if (Up) {
        R->Count++;
    }
    KeReleaseSpinLockFromDpcLevel(&R->Lock);
    if (Up) {
        Indicate(R);
    }
}

static VOID Home(PRACE R)
{
    BOOLEAN Last;
    KIRQL Irql;

    KeAcquireSpinLock(&R->Lock, &Irql);
    Last = --R->Count == 0 && R->Waits;
    if (Last) {
        NdisSetEvent(&R->Done);
    }
    KeReleaseSpinLock(&R->Lock, Irql);
}

static VOID Return(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, ULONG Flags)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(Flags);
#ifdef SEED_HOME_TOO_EARLY
    Home(R);
    NET_BUFFER_LIST_STATUS(Lists) = NDIS_STATUS_SUCCESS;
    R->Simple.Oids.Received++;
#else
    NET_BUFFER_LIST_STATUS(Lists) = NDIS_STATUS_SUCCESS;
    R->Simple.Oids.Received++;
    Home(R);
#endif
}

static NDIS_STATUS Pause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    PRACE R = Context;
    KIRQL Irql;

    KeAcquireSpinLock(&R->Lock, &Irql);
    R->Up = FALSE;
    R->Waits = R->Count != 0;
    KeReleaseSpinLock(&R->Lock, Irql);
#ifndef SEED_NOT_AWAITED
    if (R->Waits) {
        NdisWaitEvent(&R->Done, 0);
        KeAcquireSpinLock(&R->Lock, &Irql); /* whoever set the event has left the lock */
        KeReleaseSpinLock(&R->Lock, Irql);
    }
#endif
    return SimplePause(Context, P);
}

static NDIS_STATUS Restart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    ((PRACE)Context)->Up = TRUE;
    return SimpleRestart(Context, P);
}

static VOID RaceHandlers(PNDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars)
{
    Chars->ReturnNetBufferListsHandler = Return;
    Chars->PauseHandler = Pause;
    Chars->RestartHandler = Restart;
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NET_BUFFER_LIST_POOL_PARAMETERS Pool;

    UNREFERENCED_PARAMETER(Init);
    NdisZeroMemory(&Pool, sizeof(Pool));
    Pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Pool.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Pool.fAllocateNetBuffer = TRUE;
    Pool.PoolTag = RACE_TAG;
    R->Pool = NdisAllocateNetBufferListPool(R->Simple.Handle, &Pool);
    R->Buffer = RaceAllocate(R, FRAME_BYTES);
    if (R->Pool == NULL || R->Buffer == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    R->Mdl = NdisAllocateMdl(R->Simple.Handle, R->Buffer, FRAME_BYTES);
    if (R->Mdl == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    R->Nbl = NdisAllocateNetBufferAndNetBufferList(R->Pool, 0, 0, R->Mdl, 0, FRAME_BYTES);
    if (R->Nbl == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    R->Nbl->SourceHandle = R->Simple.Handle;
    NdisFillMemory(R->Buffer, 12, 0xFF);
    return RaceStartTimer(R, Tick, 0);
}

static VOID RaceEnd(PRACE R)
{
    RaceStopTimer(R);
    if (R->Nbl != NULL) {
        NdisFreeNetBufferList(R->Nbl);
    }
    if (R->Mdl != NULL) {
        NdisFreeMdl(R->Mdl);
    }
    if (R->Pool != NULL) {
        NdisFreeNetBufferListPool(R->Pool);
    }
    RaceFree(R->Buffer);
}
