/* The data path and the requests of a miniport without hardware of its own: sends go nowhere, nothing is received. */
#pragma once
#include "frame.h"

/* First member of the adapter's context. */
typedef struct _SIMPLE {
    NDIS_HANDLE Handle;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} SIMPLE, *PSIMPLE;

/* The context's memory is the caller's, zeroed. */
FORCEINLINE NDIS_STATUS SimpleBegin(PSIMPLE S, NDIS_HANDLE Handle, ULONG Flags)
{
    static const UCHAR Address[] = { 2, 0x53, 0x49, 0x4D, 0, 1 };

    S->Handle = Handle;
    FrameGateInitialize(&S->Gate);
    NdisMoveMemory(S->Oids.Address, Address, sizeof(Address));
    return FrameRegistrationAttributes(Handle, S, Flags, 0);
}

static inline NDIS_STATUS SimplePause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateClose(&((PSIMPLE)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static inline NDIS_STATUS SimpleRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateOpen(&((PSIMPLE)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static inline VOID SimpleSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PSIMPLE S = (PSIMPLE)Context;
    BOOLEAN Open = FrameGateEnter(&S->Gate);

    UNREFERENCED_PARAMETER(Port);
    FrameCompleteSends(S->Handle, Lists, Open ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, Flags);
    if (Open) {
        FrameGateLeave(&S->Gate);
    }
}

static inline NDIS_STATUS SimpleOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&((PSIMPLE)Context)->Oids, Request);
}

FORCEINLINE VOID SimpleHandlers(PNDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars, UCHAR Minor)
{
    FrameCharacteristics(Chars, Minor);
    FrameQuietHandlers(Chars);
    Chars->PauseHandler = SimplePause;
    Chars->RestartHandler = SimpleRestart;
    Chars->SendNetBufferListsHandler = SimpleSend;
    Chars->OidRequestHandler = SimpleOid;
}
