/* NDIS 6.30, no hardware: what can take long is freed by a work item that halt queues and waits for. */
#include "frame.h"

typedef struct _DFR_BLOCK {
    struct _DFR_BLOCK *Next;
    UCHAR Data[480];
} DFR_BLOCK, *PDFR_BLOCK;

typedef struct _DFR_ADAPTER {
    NDIS_HANDLE Handle;
    NDIS_HANDLE Cleaner;
    PDFR_BLOCK TxBlocks;
    PDFR_BLOCK RxBlocks;
    NDIS_HANDLE Pool;
    NDIS_EVENT Cleaned;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} DFR_ADAPTER, *PDFR_ADAPTER;

static NDIS_HANDLE DfrDriver;

static VOID DfrFreeBlocks(PDFR_BLOCK Block)
{
    while (Block != NULL) {
        PDFR_BLOCK Next = Block->Next;

        NdisFreeMemory(Block, sizeof(*Block), 0);
        Block = Next;
    }
}

static BOOLEAN DfrMakeBlocks(PDFR_ADAPTER A, PDFR_BLOCK *List, ULONG Count)
{
    while (Count-- > 0) {
        PDFR_BLOCK Block = NdisAllocateMemoryWithTagPriority(A->Handle, sizeof(*Block), 'rfD ', NormalPoolPriority);

        if (Block == NULL) {
            return FALSE;
        }
        Block->Next = *List;
        *List = Block;
    }
    return TRUE;
}

static VOID DfrRelease(PDFR_ADAPTER A)
{
    DfrFreeBlocks(A->TxBlocks);
    DfrFreeBlocks(A->RxBlocks);
    if (A->Pool != NULL) {
        NdisFreeNetBufferPool(A->Pool);
    }
}

static VOID DfrClean(PVOID Context, NDIS_HANDLE WorkItem)
{
    PDFR_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(WorkItem);
#ifdef SEED_SIGNALS_FIRST
    NdisSetEvent(&A->Cleaned);
    DfrRelease(A);
#else
    DfrRelease(A);
    NdisSetEvent(&A->Cleaned);
#endif
}

static NDIS_STATUS DfrInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    static const UCHAR Address[] = { 2, 0x44, 0x46, 0x52, 0, 1 };
    NET_BUFFER_POOL_PARAMETERS Pool;
    NDIS_STATUS Status;
    PDFR_ADAPTER A;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), 'rfD ', NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    A->Handle = Handle;
    NdisInitializeEvent(&A->Cleaned);
    FrameGateInitialize(&A->Gate);
    NdisMoveMemory(A->Oids.Address, Address, sizeof(Address));
    Status = FrameRegistrationAttributes(Handle, A, 0, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto Fail;
    }
    Status = NDIS_STATUS_RESOURCES;
    if (!DfrMakeBlocks(A, &A->TxBlocks, 3) || !DfrMakeBlocks(A, &A->RxBlocks, 5)) {
        goto Fail;
    }
    NdisZeroMemory(&Pool, sizeof(Pool));
    Pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Pool.Header.Revision = NET_BUFFER_POOL_PARAMETERS_REVISION_1;
    Pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1;
    Pool.PoolTag = 'rfD ';
    A->Pool = NdisAllocateNetBufferPool(Handle, &Pool);
    if (A->Pool == NULL) {
        goto Fail;
    }
    A->Cleaner = NdisAllocateIoWorkItem(Handle);
    if (A->Cleaner == NULL) {
        goto Fail;
    }
    Status = FrameGeneralAttributes(Handle, Address, NULL);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto Fail;
    }
    return NDIS_STATUS_SUCCESS;

Fail:
#ifdef SEED_FAIL_BY_WORK_ITEM
    /* As in halt; without the work item there is nobody to do it. */
    if (A->Cleaner != NULL) {
        NdisQueueIoWorkItem(A->Cleaner, DfrClean, A);
        NdisWaitEvent(&A->Cleaned, 0);
        NdisFreeIoWorkItem(A->Cleaner);
    }
#else
    DfrRelease(A);
    if (A->Cleaner != NULL) {
        NdisFreeIoWorkItem(A->Cleaner);
    }
#endif
    NdisFreeMemory(A, sizeof(*A), 0);
    return Status;
}

static VOID DfrHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PDFR_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Action);
    NdisQueueIoWorkItem(A->Cleaner, DfrClean, A);
#ifdef SEED_WAITS_A_SECOND
    if (!NdisWaitEvent(&A->Cleaned, 1000)) {
        return; /* the worker will get to it */
    }
#else
    NdisWaitEvent(&A->Cleaned, 0);
#endif
    NdisFreeIoWorkItem(A->Cleaner);
    NdisFreeMemory(A, sizeof(*A), 0);
}

static NDIS_STATUS DfrPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateClose(&((PDFR_ADAPTER)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS DfrRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateOpen(&((PDFR_ADAPTER)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static VOID DfrSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PDFR_ADAPTER A = Context;
    BOOLEAN Open = FrameGateEnter(&A->Gate);

    UNREFERENCED_PARAMETER(Port);
    FrameCompleteSends(A->Handle, Lists, Open ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, Flags);
    if (Open) {
        FrameGateLeave(&A->Gate);
    }
}

static NDIS_STATUS DfrOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&((PDFR_ADAPTER)Context)->Oids, Request);
}

static VOID DfrUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(DfrDriver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 30);
    FrameQuietHandlers(&Chars);
    Chars.InitializeHandlerEx = DfrInitialize;
    Chars.HaltHandlerEx = DfrHalt;
    Chars.UnloadHandler = DfrUnload;
    Chars.PauseHandler = DfrPause;
    Chars.RestartHandler = DfrRestart;
    Chars.OidRequestHandler = DfrOid;
    Chars.SendNetBufferListsHandler = DfrSend;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &DfrDriver);
}
