/* NDIS 6.20: sends wait in a queue for a one-shot timer, protocols may cancel them there; one buffer receives, lent to NDIS. */
#include "simple.h"

#define SENDQ_TAG 'qdns'
#define SENDQ_FRAME 60

typedef struct SendqAdapter {
    SIMPLE simple;
    NDIS_HANDLE sender;      /* one-shot: sends what is queued */
    NDIS_HANDLE receiver;    /* periodic */
    NDIS_SPIN_LOCK lock;
    PNET_BUFFER_LIST first;
    NDIS_HANDLE pool;
    PNET_BUFFER_LIST lent;
    BOOLEAN lending;         /* a late DPC of the timer may run beside the next one */
    PMDL mdl;
    UCHAR data[SENDQ_FRAME];
} SendqAdapter;

static NDIS_HANDLE SendqDriver;

static void complete(SendqAdapter *adapter, PNET_BUFFER_LIST lists, NDIS_STATUS status, BOOLEAN dispatch)
{
#ifdef SEED_SAYS_DISPATCH
    dispatch = TRUE;
#endif
    if (lists != NULL)
        FrameCompleteSends(adapter->simple.Handle, lists, status, dispatch ? NDIS_SEND_FLAGS_DISPATCH_LEVEL : 0);
}

static PNET_BUFFER_LIST take_all(SendqAdapter *adapter)
{
    PNET_BUFFER_LIST lists;

    NdisAcquireSpinLock(&adapter->lock);
    lists = adapter->first;
    adapter->first = NULL;
    NdisReleaseSpinLock(&adapter->lock);
    return lists;
}

static VOID SendqSendTimer(PVOID s1, PVOID context, PVOID s2, PVOID s3)
{
    SendqAdapter *adapter = context;

    UNREFERENCED_PARAMETER(s1);
    UNREFERENCED_PARAMETER(s2);
    UNREFERENCED_PARAMETER(s3);
    /* While the gate is closed the queue is the pause's. */
    if (!FrameGateEnter(&adapter->simple.Gate))
        return;
    complete(adapter, take_all(adapter), NDIS_STATUS_SUCCESS, TRUE);
    FrameGateLeave(&adapter->simple.Gate);
}

static VOID SendqReceiveTimer(PVOID s1, PVOID context, PVOID s2, PVOID s3)
{
    SendqAdapter *adapter = context;
    BOOLEAN inside, mine;

    UNREFERENCED_PARAMETER(s1);
    UNREFERENCED_PARAMETER(s2);
    UNREFERENCED_PARAMETER(s3);
    inside = FrameGateEnter(&adapter->simple.Gate);
#ifndef SEED_RECEIVES_PAUSED
    if (!inside)
        return;
#endif
    NdisDprAcquireSpinLock(&adapter->lock);
    mine = !adapter->lending;
    adapter->lending = TRUE;
    NdisDprReleaseSpinLock(&adapter->lock);
    if (mine) {
        adapter->lent->SourceHandle = adapter->simple.Handle;
        NET_BUFFER_LIST_STATUS(adapter->lent) = NDIS_STATUS_SUCCESS;
        /* With NDIS_RECEIVE_FLAGS_RESOURCES the buffer is back when the call returns. */
        NdisMIndicateReceiveNetBufferLists(adapter->simple.Handle, adapter->lent, 0, 1,
                                           NDIS_RECEIVE_FLAGS_RESOURCES | NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
        adapter->lending = FALSE;
    }
    if (inside)
        FrameGateLeave(&adapter->simple.Gate);
}

static VOID SendqSend(NDIS_HANDLE context, PNET_BUFFER_LIST lists, NDIS_PORT_NUMBER port, ULONG flags)
{
    SendqAdapter *adapter = context;
    PNET_BUFFER_LIST *end;
    LARGE_INTEGER due;

    UNREFERENCED_PARAMETER(port);
    if (!FrameGateEnter(&adapter->simple.Gate)) {
        FrameCompleteSends(adapter->simple.Handle, lists, NDIS_STATUS_PAUSED, flags);
        return;
    }
    NdisAcquireSpinLock(&adapter->lock);
    for (end = &adapter->first; *end != NULL; end = &NET_BUFFER_LIST_NEXT_NBL(*end))
        ;
    *end = lists;
    NdisReleaseSpinLock(&adapter->lock);
    due.QuadPart = -20000;
    NdisSetTimerObject(adapter->sender, due, 0, NULL);
    FrameGateLeave(&adapter->simple.Gate);
}

static VOID SendqCancelSend(NDIS_HANDLE context, PVOID id)
{
    SendqAdapter *adapter = context;
    PNET_BUFFER_LIST taken = NULL, *from, *to = &taken;

    NdisAcquireSpinLock(&adapter->lock);
    for (from = &adapter->first; *from != NULL;) {
        if (NDIS_GET_NET_BUFFER_LIST_CANCEL_ID(*from) != id) {
            from = &NET_BUFFER_LIST_NEXT_NBL(*from);
            continue;
        }
        *to = *from;
        *from = NET_BUFFER_LIST_NEXT_NBL(*from);
        to = &NET_BUFFER_LIST_NEXT_NBL(*to);
        *to = NULL;
    }
    NdisReleaseSpinLock(&adapter->lock);
#ifndef SEED_CANCEL_LOSES
    complete(adapter, taken, NDIS_STATUS_SEND_ABORTED, FALSE);
#endif
}

static NDIS_STATUS SendqPause(NDIS_HANDLE context, PNDIS_MINIPORT_PAUSE_PARAMETERS parameters)
{
    SendqAdapter *adapter = context;
    NDIS_STATUS status = SimplePause(context, parameters);

#ifdef SEED_LEFT_QUEUED
    UNREFERENCED_PARAMETER(adapter);
#else
    complete(adapter, take_all(adapter), NDIS_STATUS_PAUSED, FALSE);
#endif
    return status;
}

static NDIS_STATUS make_timer(SendqAdapter *adapter, NDIS_TIMER_FUNCTION *routine, PNDIS_HANDLE timer)
{
    NDIS_TIMER_CHARACTERISTICS chars;

    NdisZeroMemory(&chars, sizeof(chars));
    chars.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
    chars.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
    chars.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
    chars.AllocationTag = SENDQ_TAG;
    chars.TimerFunction = routine;
    chars.FunctionContext = adapter;
    return NdisAllocateTimerObject(adapter->simple.Handle, &chars, timer);
}

static void take_down(SendqAdapter *adapter)
{
    if (adapter->receiver != NULL) {
        NdisCancelTimerObject(adapter->receiver);
        NdisFreeTimerObject(adapter->receiver);
    }
    if (adapter->sender != NULL) {
        /* It may be queued or running: then its DPC is over when this returns. */
        if (!NdisCancelTimerObject(adapter->sender))
            KeFlushQueuedDpcs();
        NdisFreeTimerObject(adapter->sender);
    }
#ifndef SEED_KEPT_LIST
    if (adapter->lent != NULL)
        NdisFreeNetBufferList(adapter->lent);
#endif
    if (adapter->mdl != NULL)
        NdisFreeMdl(adapter->mdl);
    if (adapter->pool != NULL)
        NdisFreeNetBufferListPool(adapter->pool);
    NdisFreeMemory(adapter, 0, 0);
}

static NDIS_STATUS SendqInitialize(NDIS_HANDLE handle, NDIS_HANDLE driver, PNDIS_MINIPORT_INIT_PARAMETERS parameters)
{
    static const UCHAR address[] = { 2, 0x53, 0x51, 0, 0, 1 };
    NET_BUFFER_LIST_POOL_PARAMETERS pool;
    SendqAdapter *adapter;
    LARGE_INTEGER due;

    UNREFERENCED_PARAMETER(driver);
    UNREFERENCED_PARAMETER(parameters);
    adapter = NdisAllocateMemoryWithTagPriority(handle, sizeof(*adapter), SENDQ_TAG, NormalPoolPriority);
    if (adapter == NULL)
        return NDIS_STATUS_RESOURCES;
    NdisZeroMemory(adapter, sizeof(*adapter));
    NdisAllocateSpinLock(&adapter->lock);
    if (SimpleBegin(&adapter->simple, handle, NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM) != NDIS_STATUS_SUCCESS ||
        FrameGeneralAttributes(handle, address, NULL) != NDIS_STATUS_SUCCESS) {
        take_down(adapter);
        return NDIS_STATUS_FAILURE;
    }
    NdisZeroMemory(&pool, sizeof(pool));
    pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    pool.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    pool.fAllocateNetBuffer = TRUE;
    pool.PoolTag = SENDQ_TAG;
    adapter->pool = NdisAllocateNetBufferListPool(handle, &pool);
    if (adapter->pool == NULL)
        goto failed;
    adapter->mdl = NdisAllocateMdl(handle, adapter->data, SENDQ_FRAME);
    if (adapter->mdl == NULL)
        goto failed;
    adapter->lent = NdisAllocateNetBufferAndNetBufferList(adapter->pool, 0, 0, adapter->mdl, 0, SENDQ_FRAME);
    if (adapter->lent == NULL)
        goto failed;
    if (make_timer(adapter, SendqSendTimer, &adapter->sender) != NDIS_STATUS_SUCCESS) {
        adapter->sender = NULL;
        goto failed;
    }
    if (make_timer(adapter, SendqReceiveTimer, &adapter->receiver) != NDIS_STATUS_SUCCESS) {
        adapter->receiver = NULL;
        goto failed;
    }
    due.QuadPart = -100000;
    NdisSetTimerObject(adapter->receiver, due, 10, NULL);
    return NDIS_STATUS_SUCCESS;
failed:
    take_down(adapter);
    return NDIS_STATUS_RESOURCES;
}

static VOID SendqHalt(NDIS_HANDLE context, NDIS_HALT_ACTION action)
{
    UNREFERENCED_PARAMETER(action);
    take_down(context);
}

static VOID SendqUnload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
    NdisMDeregisterMiniportDriver(SendqDriver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS chars;

    SimpleHandlers(&chars, 20);
    chars.InitializeHandlerEx = SendqInitialize;
    chars.HaltHandlerEx = SendqHalt;
    chars.UnloadHandler = SendqUnload;
    chars.PauseHandler = SendqPause;
    chars.SendNetBufferListsHandler = SendqSend;
    chars.CancelSendHandler = SendqCancelSend;
    return NdisMRegisterMiniportDriver(driver, path, NULL, &chars, &SendqDriver);
}
