/*
 * What the seeded races share: a miniport whose adapter is one block of memory. A source names its own members in RACE_MEMBERS,
 * includes this, and has RaceBegin, RaceEnd and, with RACE_HANDLERS, handlers of its own. In the plain order of things nothing
 * of it is wrong, with a seed or without.
 */
#pragma once
#include "../../../corpus/c/include/simple.h"

#define RACE_TAG 'ecaR'

typedef struct _RACE {
    SIMPLE Simple;
    NDIS_HANDLE Timer;
    NDIS_HANDLE Item;
    NDIS_EVENT Done;
    KSPIN_LOCK Lock;
    PULONG Buffer;
    LONG Count;
    BOOLEAN Stopping;
    RACE_MEMBERS
} RACE, *PRACE;

/* MiniportInitializeEx, once the attributes are set; RaceEnd also undoes what a failing one has done. */
static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init);
/* MiniportHaltEx, up to freeing the adapter. */
static VOID RaceEnd(PRACE R);

static NDIS_HANDLE RaceDriver;

static inline PVOID RaceAllocate(PRACE R, UINT Bytes)
{
    PVOID Block = NdisAllocateMemoryWithTagPriority(R->Simple.Handle, Bytes, RACE_TAG, NormalPoolPriority);

    if (Block != NULL) {
        NdisZeroMemory(Block, Bytes);
    }
    return Block;
}

static inline VOID RaceFree(PVOID Block)
{
    if (Block != NULL) {
        NdisFreeMemory(Block, 0, 0);
    }
}

/* Two seconds: not due before the adapter halts, unless it is held up. */
static inline VOID RaceSetTimer(PRACE R, LONG Period)
{
    LARGE_INTEGER Due;

    Due.QuadPart = -2000 * 10000LL;
    NdisSetTimerObject(R->Timer, Due, Period, NULL);
}

static inline NDIS_STATUS RaceStartTimer(PRACE R, NDIS_TIMER_FUNCTION *Routine, LONG Period)
{
    NDIS_TIMER_CHARACTERISTICS Timer;
    NDIS_STATUS Status;

    NdisZeroMemory(&Timer, sizeof(Timer));
    Timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
    Timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.AllocationTag = RACE_TAG;
    Timer.TimerFunction = Routine;
    Timer.FunctionContext = R;
    Status = NdisAllocateTimerObject(R->Simple.Handle, &Timer, &R->Timer);
    if (Status != NDIS_STATUS_SUCCESS) {
        R->Timer = NULL;
        return Status;
    }
    RaceSetTimer(R, Period);
    return NDIS_STATUS_SUCCESS;
}

/* The callback will not come any more. FALSE: it came, and whatever it started is under way. */
static inline BOOLEAN RaceStopTimer(PRACE R)
{
    BOOLEAN Cancelled;

    if (R->Timer == NULL) {
        return TRUE;
    }
    Cancelled = NdisCancelTimerObject(R->Timer);
    KeFlushQueuedDpcs();
    NdisFreeTimerObject(R->Timer);
    R->Timer = NULL;
    return Cancelled;
}

static inline VOID RaceFreeItem(PRACE R)
{
    if (R->Item != NULL) {
        NdisFreeIoWorkItem(R->Item);
    }
}

static NDIS_STATUS RaceInitialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NDIS_STATUS Status;
    PRACE R;

    UNREFERENCED_PARAMETER(Context);
    R = NdisAllocateMemoryWithTagPriority(Handle, sizeof(*R), RACE_TAG, NormalPoolPriority);
    if (R == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(R, sizeof(*R));
    KeInitializeSpinLock(&R->Lock);
    NdisInitializeEvent(&R->Done);
#ifdef RACE_HARDWARE
    Status = SimpleBegin(&R->Simple, Handle, NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER);
#else
    Status = SimpleBegin(&R->Simple, Handle, 0);
#endif
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = FrameGeneralAttributes(Handle, R->Simple.Oids.Address, NULL);
    }
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = RaceBegin(R, Init);
        if (Status != NDIS_STATUS_SUCCESS) {
            RaceEnd(R);
        }
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        NdisFreeMemory(R, 0, 0);
    }
    return Status;
}

static VOID RaceHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    RaceEnd(Context);
    NdisFreeMemory(Context, 0, 0);
}

static VOID RaceUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(RaceDriver);
}

#ifdef RACE_HANDLERS
static VOID RaceHandlers(PNDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars);
#endif

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    SimpleHandlers(&Chars, 30);
    Chars.InitializeHandlerEx = RaceInitialize;
    Chars.HaltHandlerEx = RaceHalt;
    Chars.UnloadHandler = RaceUnload;
#ifdef RACE_HANDLERS
    RaceHandlers(&Chars);
#endif
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &RaceDriver);
}
