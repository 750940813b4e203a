/* NDIS 6.20 with kernel memory of all sorts: contiguous memory, pages with a mapping, a described pool buffer, an IRP. */
#include "simple.h"

#define PAGES_BYTES (4 * PAGE_SIZE)

typedef struct _MEM_ADAPTER {
    SIMPLE Simple;
    PVOID Contiguous;
    PMDL Pages;        /* pages of their own, mapped */
    PVOID PagesVa;
    PVOID Buffer;
    PMDL BufferMdl;    /* describes Buffer */
    PMDL Locked;       /* paged memory, locked */
    PVOID Paged;
    PIRP Irp;
} MEM_ADAPTER, *PMEM_ADAPTER;

static NDIS_HANDLE MemDriver;

static VOID MemRelease(PMEM_ADAPTER A)
{
    if (A->Irp != NULL) {
#ifdef SEED_IRP_BY_POOL
        ExFreePool(A->Irp);
#elif !defined(SEED_IRP)
        IoFreeIrp(A->Irp);
#endif
    }
    if (A->Locked != NULL) {
#ifndef SEED_STILL_LOCKED
        MmUnlockPages(A->Locked);
#endif
        IoFreeMdl(A->Locked);
    }
    if (A->Paged != NULL) {
        ExFreePoolWithTag(A->Paged, ' meM');
    }
    if (A->BufferMdl != NULL) {
#ifdef SEED_NDIS_FREES_MDL
        NdisFreeMdl(A->BufferMdl);
#elif !defined(SEED_BUFFER_MDL)
        IoFreeMdl(A->BufferMdl);
#endif
    }
    if (A->Buffer != NULL) {
        ExFreePoolWithTag(A->Buffer, ' meM');
    }
    if (A->PagesVa != NULL) {
#ifndef SEED_MAPPING
        MmUnmapLockedPages(A->PagesVa, A->Pages);
#endif
    }
    if (A->Pages != NULL) {
#ifndef SEED_PAGES
        MmFreePagesFromMdl(A->Pages);
#endif
#ifndef SEED_MDL_OF_PAGES
        ExFreePool(A->Pages);
#endif
    }
#ifndef SEED_CONTIGUOUS
    if (A->Contiguous != NULL) {
        MmFreeContiguousMemory(A->Contiguous);
    }
#else
    if (A->Contiguous != NULL && A->Pages == NULL) {
        MmFreeContiguousMemory(A->Contiguous);
    }
#endif
    NdisFreeMemory(A, 0, 0);
}

static BOOLEAN MemAcquirePages(PMEM_ADAPTER A)
{
    PHYSICAL_ADDRESS Low = { .QuadPart = 0 }, High = { .QuadPart = -1 }, Skip = { .QuadPart = 0 };

    A->Pages = MmAllocatePagesForMdlEx(Low, High, Skip, PAGES_BYTES, MmCached, 0);
    if (A->Pages == NULL) {
        return FALSE;
    }
    if (MmGetMdlByteCount(A->Pages) < PAGES_BYTES) {
#ifdef SEED_FEWER_PAGES
        A->Pages = NULL;
#endif
        return FALSE;
    }
    A->PagesVa = MmMapLockedPagesSpecifyCache(A->Pages, KernelMode, MmCached, NULL, FALSE,
                                              NormalPagePriority | MdlMappingNoExecute);
    if (A->PagesVa == NULL) {
        return FALSE;
    }
    RtlZeroMemory(A->PagesVa, PAGES_BYTES);
    return TRUE;
}

static BOOLEAN MemAcquireBuffers(PMEM_ADAPTER A)
{
    A->Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, 3000, ' meM');
    if (A->Buffer == NULL) {
        return FALSE;
    }
    A->BufferMdl = IoAllocateMdl(A->Buffer, 3000, FALSE, FALSE, NULL);
    if (A->BufferMdl == NULL) {
        return FALSE;
    }
    MmBuildMdlForNonPagedPool(A->BufferMdl);
    A->Paged = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE, ' meM');
    if (A->Paged == NULL) {
        return FALSE;
    }
    A->Locked = IoAllocateMdl(A->Paged, PAGE_SIZE, FALSE, FALSE, NULL);
    if (A->Locked == NULL) {
        return FALSE;
    }
    __try {
        MmProbeAndLockPages(A->Locked, KernelMode, IoWriteAccess);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
#ifndef SEED_LOCK_RAISES
        IoFreeMdl(A->Locked);
#endif
        A->Locked = NULL;
        return FALSE;
    }
    return TRUE;
}

static NDIS_STATUS MemInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    PHYSICAL_ADDRESS Highest = { .QuadPart = 0xFFFFFFFF };
    NDIS_STATUS Status;
    PMEM_ADAPTER A;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), ' meM', NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    Status = SimpleBegin(&A->Simple, Handle, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        MemRelease(A);
        return Status;
    }
    A->Contiguous = MmAllocateContiguousMemory(2 * PAGE_SIZE, Highest);
    if (A->Contiguous == NULL || !MemAcquirePages(A) || !MemAcquireBuffers(A)) {
        MemRelease(A);
        return NDIS_STATUS_RESOURCES;
    }
    A->Irp = IoAllocateIrp(2, FALSE);
    if (A->Irp == NULL) {
        MemRelease(A);
        return NDIS_STATUS_RESOURCES;
    }
    Status = FrameGeneralAttributes(Handle, A->Simple.Oids.Address, NULL);
    if (Status != NDIS_STATUS_SUCCESS) {
        MemRelease(A);
    }
    return Status;
}

static VOID MemHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    MemRelease(Context);
}

static VOID MemUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(MemDriver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    SimpleHandlers(&Chars, 20);
    Chars.InitializeHandlerEx = MemInitialize;
    Chars.HaltHandlerEx = MemHalt;
    Chars.UnloadHandler = MemUnload;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &MemDriver);
}
