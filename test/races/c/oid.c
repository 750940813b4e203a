/* OIDs, direct ones too, are answered by a work item of their own; halt waits until all of them are over. */
#define RACE_MEMBERS LONG Pending;
#define RACE_HANDLERS
#include "race.h"

typedef struct _ANSWER {
    PRACE R;
    PNDIS_OID_REQUEST Request;
    BOOLEAN Direct;
} ANSWER, *PANSWER;

static VOID Over(PRACE R)
{
    if (InterlockedDecrement(&R->Pending) == 0) {
        NdisSetEvent(&R->Done);
    }
}

static VOID Answer(PVOID Context, NDIS_HANDLE Item)
{
    ANSWER A = *(PANSWER)Context;

    NdisFreeIoWorkItem(Item);
    NdisFreeMemory(Context, 0, 0);
    if (A.Direct) {
        NdisMDirectOidRequestComplete(A.R->Simple.Handle, A.Request, NDIS_STATUS_NOT_SUPPORTED);
#ifdef SEED_DIRECT_NOT_COUNTED
        A.R->Count++;
        return;
#endif
    } else {
        NdisMOidRequestComplete(A.R->Simple.Handle, A.Request, FrameOid(&A.R->Simple.Oids, A.Request));
#ifdef SEED_ANSWERED_IS_OVER
        A.R->Count++;
        return;
#endif
    }
    A.R->Count++;
    Over(A.R);
}

static NDIS_STATUS Queue(PRACE R, PNDIS_OID_REQUEST Request, BOOLEAN Direct)
{
    PANSWER A = RaceAllocate(R, sizeof(*A));
    NDIS_HANDLE Item;

    if (A == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    Item = NdisAllocateIoWorkItem(R->Simple.Handle);
    if (Item == NULL) {
        NdisFreeMemory(A, 0, 0);
        return NDIS_STATUS_RESOURCES;
    }
    A->R = R;
    A->Request = Request;
    A->Direct = Direct;
#ifdef SEED_DIRECT_NOT_COUNTED
    if (!Direct)
#endif
#ifdef SEED_ANSWERED_IS_OVER
    if (Direct)
#endif
    InterlockedIncrement(&R->Pending);
    NdisQueueIoWorkItem(Item, Answer, A);
    return NDIS_STATUS_PENDING;
}

static NDIS_STATUS Oid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return Queue(Context, Request, FALSE);
}

static NDIS_STATUS DirectOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return Queue(Context, Request, TRUE);
}

static VOID RaceHandlers(PNDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars)
{
    Chars->OidRequestHandler = Oid;
    Chars->DirectOidRequestHandler = DirectOid;
    Chars->CancelDirectOidRequestHandler = FrameCancelOid;
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    UNREFERENCED_PARAMETER(Init);
    R->Pending = 1;
    return NDIS_STATUS_SUCCESS;
}

static VOID RaceEnd(PRACE R)
{
    Over(R);
    NdisWaitEvent(&R->Done, 0);
}
