/* NDIS 6.0, no hardware: many small allocations on a linked list, each with its own MDL and list; receives come from a timer. */
#include <ndis.h>
#include "frame.h"

#define BUFFERS 6
#define FRAME_BYTES 128
#define TAG_BUFFER 'fuBB'
#define TAG_DATA 'taDB'

typedef struct _BUFFER {
    LIST_ENTRY Link;
    PUCHAR Data;
    PMDL Mdl;
    PNET_BUFFER_LIST Nbl;
} BUFFER, *PBUFFER;

typedef struct _DEVICE {
    NDIS_HANDLE MiniportAdapterHandle;
    NDIS_HANDLE Pool;
    NDIS_HANDLE Timer;
    LIST_ENTRY All;   /* every buffer */
    LIST_ENTRY Free;  /* not used for the list's own link: by Nbl->Scratch */
    PBUFFER Idle[BUFFERS];
    ULONG IdleCount;
    KSPIN_LOCK Lock;
    LONG Outstanding;
    NDIS_EVENT Home;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} DEVICE, *PDEVICE;

NDIS_HANDLE NdisMiniportDriverHandle;

static VOID BufFreeAll(PDEVICE Device)
{
#ifdef SEED_NEXT_AFTER_FREE
    PLIST_ENTRY Entry;

    for (Entry = Device->All.Flink; Entry != &Device->All; Entry = Entry->Flink) {
        PBUFFER Buffer = CONTAINING_RECORD(Entry, BUFFER, Link);
#else
    while (!IsListEmpty(&Device->All)) {
        PBUFFER Buffer = CONTAINING_RECORD(RemoveHeadList(&Device->All), BUFFER, Link);
#endif
        if (Buffer->Nbl != NULL) {
            NdisFreeNetBufferList(Buffer->Nbl);
        }
        if (Buffer->Mdl != NULL) {
            NdisFreeMdl(Buffer->Mdl);
        }
#ifdef SEED_DATA_WITH_MDL
        else
#endif
        if (Buffer->Data != NULL) {
            NdisFreeMemory(Buffer->Data, FRAME_BYTES, 0);
        }
        NdisFreeMemory(Buffer, sizeof(BUFFER), 0);
    }
}

static NDIS_STATUS BufMakeOne(PDEVICE Device)
{
    PBUFFER Buffer;

    Buffer = NdisAllocateMemoryWithTagPriority(Device->MiniportAdapterHandle, sizeof(BUFFER), TAG_BUFFER,
                                               NormalPoolPriority);
    if (Buffer == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(Buffer, sizeof(BUFFER));
#ifndef SEED_LINKED_AT_THE_END
    InsertTailList(&Device->All, &Buffer->Link);
#endif
    Buffer->Data = NdisAllocateMemoryWithTagPriority(Device->MiniportAdapterHandle, FRAME_BYTES, TAG_DATA,
                                                     NormalPoolPriority);
    if (Buffer->Data == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    Buffer->Mdl = NdisAllocateMdl(Device->MiniportAdapterHandle, Buffer->Data, FRAME_BYTES);
    if (Buffer->Mdl == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    Buffer->Nbl = NdisAllocateNetBufferAndNetBufferList(Device->Pool, 0, 0, Buffer->Mdl, 0, FRAME_BYTES);
    if (Buffer->Nbl == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
#ifdef SEED_LINKED_AT_THE_END
    InsertTailList(&Device->All, &Buffer->Link);
#endif
    NET_BUFFER_LIST_MINIPORT_RESERVED(Buffer->Nbl)[0] = Buffer;
    Buffer->Nbl->SourceHandle = Device->MiniportAdapterHandle;
    Device->Idle[Device->IdleCount++] = Buffer;
    return NDIS_STATUS_SUCCESS;
}

static PBUFFER BufTake(PDEVICE Device)
{
    PBUFFER Buffer = NULL;

    KeAcquireSpinLockAtDpcLevel(&Device->Lock);
    if (Device->IdleCount != 0) {
        Buffer = Device->Idle[--Device->IdleCount];
    }
    KeReleaseSpinLockFromDpcLevel(&Device->Lock);
    return Buffer;
}

static VOID BufHome(PDEVICE Device)
{
    if (InterlockedDecrement(&Device->Outstanding) == 0) {
        NdisSetEvent(&Device->Home);
    }
}

static VOID BufReturn(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, ULONG Flags)
{
    PDEVICE Device = Context;

    UNREFERENCED_PARAMETER(Flags);
    while (Lists != NULL) {
        PNET_BUFFER_LIST Next = NET_BUFFER_LIST_NEXT_NBL(Lists);
        KIRQL Irql;

        NET_BUFFER_LIST_NEXT_NBL(Lists) = NULL;
        KeAcquireSpinLock(&Device->Lock, &Irql);
        Device->Idle[Device->IdleCount++] = NET_BUFFER_LIST_MINIPORT_RESERVED(Lists)[0];
        KeReleaseSpinLock(&Device->Lock, Irql);
        BufHome(Device);
        Lists = Next;
    }
}

static VOID BufReceive(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    PDEVICE Device = Context;
    PBUFFER Buffer;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
    if (!FrameGateEnter(&Device->Gate)) {
        return;
    }
    Buffer = BufTake(Device);
    if (Buffer != NULL) {
        NdisFillMemory(Buffer->Data, FRAME_ADDRESS_LENGTH, 0xFF);
        NdisMoveMemory(Buffer->Data + 6, Device->Oids.Address, FRAME_ADDRESS_LENGTH);
        Buffer->Data[12] = 0x88;
        Buffer->Data[13] = 0xB5;
        Device->Oids.Received++;
        InterlockedIncrement(&Device->Outstanding);
        NdisMIndicateReceiveNetBufferLists(Device->MiniportAdapterHandle, Buffer->Nbl, 0, 1,
                                           NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
    }
    FrameGateLeave(&Device->Gate);
}

static VOID BufDestroy(PDEVICE Device)
{
    if (Device->Timer != NULL) {
#ifdef SEED_TIMER_STILL_SET
        NdisFreeTimerObject(Device->Timer);
#else
        NdisCancelTimerObject(Device->Timer);
        NdisFreeTimerObject(Device->Timer);
#endif
    }
#ifdef SEED_POOL_FIRST
    if (Device->Pool != NULL) {
        NdisFreeNetBufferListPool(Device->Pool);
    }
    BufFreeAll(Device);
#else
    BufFreeAll(Device);
    if (Device->Pool != NULL) {
        NdisFreeNetBufferListPool(Device->Pool);
    }
#endif
    NdisFreeMemory(Device, sizeof(DEVICE), 0);
}

static NDIS_STATUS BufInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Parameters)
{
    static const UCHAR Address[] = { 2, 0x42, 0x55, 0x46, 0, 1 };
    NET_BUFFER_LIST_POOL_PARAMETERS Pool;
    NDIS_TIMER_CHARACTERISTICS Timer;
    LARGE_INTEGER Due;
    NDIS_STATUS Status;
    PDEVICE Device;
    ULONG i;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Parameters);
    Device = NdisAllocateMemoryWithTagPriority(Handle, sizeof(DEVICE), TAG_BUFFER, NormalPoolPriority);
    if (Device == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(Device, sizeof(DEVICE));
    Device->MiniportAdapterHandle = Handle;
    InitializeListHead(&Device->All);
    KeInitializeSpinLock(&Device->Lock);
    NdisInitializeEvent(&Device->Home);
    FrameGateInitialize(&Device->Gate);
    NdisMoveMemory(Device->Oids.Address, Address, sizeof(Address));
    Status = FrameRegistrationAttributes(Handle, Device, 0, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        BufDestroy(Device);
        return Status;
    }
    NdisZeroMemory(&Pool, sizeof(Pool));
    Pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Pool.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Pool.fAllocateNetBuffer = TRUE;
    Pool.PoolTag = TAG_BUFFER;
    Device->Pool = NdisAllocateNetBufferListPool(Handle, &Pool);
    if (Device->Pool == NULL) {
        BufDestroy(Device);
        return NDIS_STATUS_RESOURCES;
    }
    for (i = 0; i < BUFFERS; i++) {
        Status = BufMakeOne(Device);
#ifdef SEED_FEWER_WILL_DO
        if (Status != NDIS_STATUS_SUCCESS && i >= 2) {
            RemoveTailList(&Device->All); /* as many as there are will do */
            break;
        }
        if (Status != NDIS_STATUS_SUCCESS) {
#else
        if (Status != NDIS_STATUS_SUCCESS) {
#endif
            BufDestroy(Device);
            return Status;
        }
    }
    NdisZeroMemory(&Timer, sizeof(Timer));
    Timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
    Timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.AllocationTag = TAG_BUFFER;
    Timer.TimerFunction = BufReceive;
    Timer.FunctionContext = Device;
    Status = NdisAllocateTimerObject(Handle, &Timer, &Device->Timer);
    if (Status != NDIS_STATUS_SUCCESS) {
        Device->Timer = NULL;
        BufDestroy(Device);
        return Status;
    }
    Status = FrameGeneralAttributes(Handle, Address, NULL);
    if (Status != NDIS_STATUS_SUCCESS) {
        BufDestroy(Device);
        return Status;
    }
    Due.QuadPart = -25 * 10000LL;
    NdisSetTimerObject(Device->Timer, Due, 25, NULL);
    return NDIS_STATUS_SUCCESS;
}

static VOID BufHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    BufDestroy(Context);
}

static NDIS_STATUS BufPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    PDEVICE Device = Context;

    UNREFERENCED_PARAMETER(P);
    FrameGateClose(&Device->Gate);
    BufHome(Device);
#ifndef SEED_PAUSE_DOES_NOT_WAIT
    NdisWaitEvent(&Device->Home, 0);
#endif
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS BufRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    PDEVICE Device = Context;

    UNREFERENCED_PARAMETER(P);
    NdisResetEvent(&Device->Home);
    InterlockedIncrement(&Device->Outstanding); /* the adapter's own */
    FrameGateOpen(&Device->Gate);
    return NDIS_STATUS_SUCCESS;
}

static VOID BufSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PDEVICE Device = Context;
    BOOLEAN Open = FrameGateEnter(&Device->Gate);

    UNREFERENCED_PARAMETER(Port);
    FrameCompleteSends(Device->MiniportAdapterHandle, Lists, Open ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, Flags);
    if (Open) {
        FrameGateLeave(&Device->Gate);
    }
}

static NDIS_STATUS BufOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&((PDEVICE)Context)->Oids, Request);
}

static VOID BufUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(NdisMiniportDriverHandle);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 0);
    FrameQuietHandlers(&Chars);
    Chars.InitializeHandlerEx = BufInitialize;
    Chars.HaltHandlerEx = BufHalt;
    Chars.UnloadHandler = BufUnload;
    Chars.PauseHandler = BufPause;
    Chars.RestartHandler = BufRestart;
    Chars.OidRequestHandler = BufOid;
    Chars.SendNetBufferListsHandler = BufSend;
    Chars.ReturnNetBufferListsHandler = BufReturn;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &NdisMiniportDriverHandle);
}
