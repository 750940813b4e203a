/* NDIS 6.1, no hardware: what all adapters share lives in globals, made by the first of them and freed with the last. */
#include "simple.h"

typedef struct _SHR_ADAPTER {
    SIMPLE Simple;
    ULONG Index;
    PUCHAR Own;
} SHR_ADAPTER, *PSHR_ADAPTER;

static NDIS_HANDLE ShrDriver;
static PUCHAR ShrTable;          /* 64 entries of 16 bytes: one for each adapter */
static LONG ShrUsers;
static KEVENT ShrFree;           /* signalled: the globals are free to change */
#ifdef SEED_STALE_POOL
static PUCHAR ShrCache;
#endif

static VOID ShrLock(VOID)
{
    KeWaitForSingleObject(&ShrFree, Executive, KernelMode, FALSE, NULL);
}

static VOID ShrUnlock(VOID)
{
    KeSetEvent(&ShrFree, IO_NO_INCREMENT, FALSE);
}

static BOOLEAN ShrJoin(PSHR_ADAPTER A)
{
    BOOLEAN Joined;

    ShrLock();
    if (ShrUsers == 0) {
        ShrTable = ExAllocatePoolWithTag(NonPagedPoolNx, 64 * 16, ' rhS');
        if (ShrTable != NULL) {
            RtlZeroMemory(ShrTable, 64 * 16);
        }
    }
    Joined = ShrTable != NULL && ShrUsers < 64;
    if (Joined) {
        A->Index = (ULONG)ShrUsers++;
        ShrTable[A->Index * 16] = 1;
    }
    ShrUnlock();
    return Joined;
}

static VOID ShrLeave(PSHR_ADAPTER A)
{
    ShrLock();
#if defined(SEED_ANY_HALT_FREES)
    ShrTable[A->Index * 16] = 0;
    ShrUsers--;
    ExFreePoolWithTag(ShrTable, ' rhS');
#elif defined(SEED_NEVER_ZERO)
    ShrTable[A->Index * 16] = 0;
    ShrUsers--; /* the table is kept for the next adapter, which makes its own */
#else
    ShrTable[A->Index * 16] = 0;
    if (--ShrUsers == 0) {
        ExFreePoolWithTag(ShrTable, ' rhS');
    }
#endif
    ShrUnlock();
}

static NDIS_STATUS ShrInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NDIS_STATUS Status;
    PSHR_ADAPTER A;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Init);
    A = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*A), ' rhS', NormalPoolPriority);
    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(A, sizeof(*A));
    Status = SimpleBegin(&A->Simple, Handle, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        goto Free;
    }
    Status = NDIS_STATUS_RESOURCES;
    if (!ShrJoin(A)) {
        goto Free;
    }
#ifdef SEED_STALE_POOL
    if (ShrCache == NULL) {
        ShrCache = NdisAllocateMemoryWithTagPriority(Handle, 256, 'crhS', NormalPoolPriority);
    }
    A->Own = ShrCache;
#else
    A->Own = NdisAllocateMemoryWithTagPriority(Handle, 256, 'orhS', NormalPoolPriority);
#endif
    if (A->Own == NULL) {
#ifndef SEED_LEAVES_NOT
        ShrLeave(A);
#endif
        goto Free;
    }
    A->Own[0] = (UCHAR)A->Index;
    Status = FrameGeneralAttributes(Handle, A->Simple.Oids.Address, NULL);
    if (Status != NDIS_STATUS_SUCCESS) {
        NdisFreeMemory(A->Own, 0, 0);
#ifdef SEED_STALE_POOL
        ShrCache = NULL;
#endif
        ShrLeave(A);
        goto Free;
    }
    return NDIS_STATUS_SUCCESS;
Free:
    NdisFreeMemory(A, 0, 0);
    return Status;
}

static VOID ShrHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PSHR_ADAPTER A = Context;

    UNREFERENCED_PARAMETER(Action);
    NdisFreeMemory(A->Own, 0, 0);
    ShrLeave(A);
    NdisFreeMemory(A, 0, 0);
#ifdef SEED_DEREGISTERS
    if (ShrUsers == 0) {
        NdisMDeregisterMiniportDriver(ShrDriver);
        ShrDriver = NULL;
    }
#endif
}

static VOID ShrUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    if (ShrDriver != NULL) {
#ifndef SEED_UNLOAD_FORGETS
        NdisMDeregisterMiniportDriver(ShrDriver);
#endif
    }
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    KeInitializeEvent(&ShrFree, SynchronizationEvent, TRUE);
    SimpleHandlers(&Chars, 1);
    Chars.InitializeHandlerEx = ShrInitialize;
    Chars.HaltHandlerEx = ShrHalt;
    Chars.UnloadHandler = ShrUnload;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &ShrDriver);
}
