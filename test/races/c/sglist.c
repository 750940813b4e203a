/* A timer has a frame of the driver's own mapped for the board; HAL hands over its list when it has the map registers. */
#define RACE_MEMBERS NDIS_HANDLE Dma; NDIS_HANDLE Pool; PMDL Mdl; PNET_BUFFER Frame; BOOLEAN Asked; NDIS_EVENT Ticked;
#include "dma.h"

#define FRAME_BYTES 64

/* The board would send it now. */
static VOID List(PDEVICE_OBJECT Device, PVOID Reserved, PSCATTER_GATHER_LIST Sg, PVOID Context)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Reserved);
    NdisMFreeNetBufferSGList(R->Dma, Sg, R->Frame);
    NdisSetEvent(&R->Done);
}

static VOID Tick(PVOID A, PVOID Context, PVOID B, PVOID C)
{
    PRACE R = Context;

    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    UNREFERENCED_PARAMETER(C);
    R->Asked = NdisMAllocateNetBufferSGList(R->Dma, R->Frame, R, NDIS_SG_LIST_WRITE_TO_DEVICE, NULL, 0) ==
               NDIS_STATUS_SUCCESS;
    NdisSetEvent(&R->Ticked);
}

static VOID Late(NDIS_HANDLE Context, PVOID Address, PNDIS_PHYSICAL_ADDRESS Physical, ULONG Length, PVOID Mine)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Address);
    UNREFERENCED_PARAMETER(Physical);
    UNREFERENCED_PARAMETER(Length);
    UNREFERENCED_PARAMETER(Mine);
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NET_BUFFER_POOL_PARAMETERS Pool;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(Init);
    NdisInitializeEvent(&R->Ticked);
    NdisZeroMemory(&Pool, sizeof(Pool));
    Pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Pool.Header.Revision = NET_BUFFER_POOL_PARAMETERS_REVISION_1;
    Pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1;
    Pool.PoolTag = RACE_TAG;
    R->Pool = NdisAllocateNetBufferPool(R->Simple.Handle, &Pool);
    R->Buffer = RaceAllocate(R, FRAME_BYTES);
    if (R->Pool == NULL || R->Buffer == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    R->Mdl = NdisAllocateMdl(R->Simple.Handle, R->Buffer, FRAME_BYTES);
    if (R->Mdl == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    R->Frame = NdisAllocateNetBuffer(R->Pool, R->Mdl, 0, FRAME_BYTES);
    if (R->Frame == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    Status = DmaRegister(R, List, Late);
    return Status != NDIS_STATUS_SUCCESS ? Status : RaceStartTimer(R, Tick, 0);
}

static VOID RaceEnd(PRACE R)
{
    if (R->Timer != NULL) {
        if (!NdisCancelTimerObject(R->Timer)) {
            NdisWaitEvent(&R->Ticked, 0);
        }
        NdisFreeTimerObject(R->Timer);
    }
#ifndef SEED_NOT_AWAITED
    if (R->Asked) {
        NdisWaitEvent(&R->Done, 0);
    }
#endif
    if (R->Frame != NULL) {
        NdisFreeNetBuffer(R->Frame);
    }
    if (R->Dma != NULL) {
        NdisMDeregisterScatterGatherDma(R->Dma);
    }
    if (R->Mdl != NULL) {
        NdisFreeMdl(R->Mdl);
    }
    if (R->Pool != NULL) {
        NdisFreeNetBufferPool(R->Pool);
    }
    RaceFree(R->Buffer);
}
