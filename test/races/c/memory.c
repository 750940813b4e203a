/* A timer asks for a block of shared memory; the block comes when it comes. */
#define RACE_MEMBERS NDIS_HANDLE Dma; PVOID Late; NDIS_PHYSICAL_ADDRESS LatePa; BOOLEAN Asked;
#include "dma.h"

#define LATE_BYTES 4096

static VOID Come(NDIS_HANDLE Context, PVOID Address, PNDIS_PHYSICAL_ADDRESS Physical, ULONG Length, PVOID Mine)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(Length);
    UNREFERENCED_PARAMETER(Mine);
    if (Address != NULL) {
        R->Late = Address;
        R->LatePa = *Physical;
    }
    NdisSetEvent(&R->Done);
}

static VOID Tick(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
    R->Asked = NdisMAllocateSharedMemoryAsyncEx(R->Dma, LATE_BYTES, TRUE, NULL) == NDIS_STATUS_PENDING;
}

static VOID List(PDEVICE_OBJECT Device, PVOID Reserved, PSCATTER_GATHER_LIST Sg, PVOID Context)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Reserved);
    UNREFERENCED_PARAMETER(Sg);
    UNREFERENCED_PARAMETER(Context);
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NDIS_STATUS Status = DmaRegister(R, List, Come);

    UNREFERENCED_PARAMETER(Init);
    return Status != NDIS_STATUS_SUCCESS ? Status : RaceStartTimer(R, Tick, 0);
}

static VOID RaceEnd(PRACE R)
{
    RaceStopTimer(R);
#ifndef SEED_NOT_AWAITED
    if (R->Asked) {
        NdisWaitEvent(&R->Done, 0);
    }
#endif
    if (R->Late != NULL) {
        NdisMFreeSharedMemory(R->Simple.Handle, LATE_BYTES, TRUE, R->Late, R->LatePa);
    }
    if (R->Dma != NULL) {
        NdisMDeregisterScatterGatherDma(R->Dma);
    }
}
