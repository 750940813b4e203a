/* NDIS 6.30, registers and messages: one FreeAdapter that is called from halt and from a failing initialize. */
#include "board.h"
#include "frame.h"

typedef struct helper_adapter {
    NDIS_HANDLE handle;
    PUCHAR bar;
    NDIS_HANDLE pool;
    NDIS_HANDLE irq;
    PVOID table;          /* multicast hash */
    PVOID history;        /* last link changes */
    KSPIN_LOCK lock;
    BOOLEAN down;
    FRAME_GATE gate;
    FRAME_OIDS oids;
} helper_adapter;

static NDIS_HANDLE driver_handle;

static void free_adapter(helper_adapter *a)
{
    KIRQL irql;

#ifdef SEED_EARLY_RETURN
    if (a->bar == NULL) {
        NdisFreeMemory(a, 0, 0);
        return;
    }
#endif
    if (a->irq != NULL) {
        a->down = TRUE;
        KeAcquireSpinLock(&a->lock, &irql); /* the DPC has seen it */
        KeReleaseSpinLock(&a->lock, irql);
        BoardStop(a->bar);
        NdisMDeregisterInterruptEx(a->irq);
    }
    if (a->bar != NULL)
        NdisMUnmapIoSpace(a->handle, a->bar, BOARD_REGISTERS);
    if (a->history != NULL)
        NdisFreeMemory(a->history, 0, 0);
    if (a->table != NULL)
        NdisFreeMemory(a->table, 0, 0);
    if (a->pool != NULL)
        NdisFreeNetBufferListPool(a->pool);
    NdisFreeMemory(a, 0, 0);
}

BOARD_LINE_SWITCH(line, helper_adapter, bar)

static BOOLEAN on_line(NDIS_HANDLE context, PBOOLEAN queue, PULONG targets)
{
    helper_adapter *a = context;

    UNREFERENCED_PARAMETER(targets);
    *queue = BoardClaim(a->bar) != 0;
    return *queue;
}

static BOOLEAN on_message(NDIS_HANDLE context, ULONG id, PBOOLEAN queue, PULONG targets)
{
    helper_adapter *a = context;

    UNREFERENCED_PARAMETER(id);
    UNREFERENCED_PARAMETER(targets);
    *queue = BoardClaim(a->bar) != 0;
    return TRUE;
}

static void note_link(helper_adapter *a)
{
    ULONG status = BoardRead(a->bar, STATUS);
    PULONG history = a->history;

    KeAcquireSpinLockAtDpcLevel(&a->lock);
    history[1 + history[0]++ % 63] = status;
    if (!a->down && status != GONE)
        BoardWrite(a->bar, IMS, CAUSE_LINK);
    KeReleaseSpinLockFromDpcLevel(&a->lock);
}

static VOID on_line_dpc(NDIS_HANDLE context, PVOID c, PVOID t, PVOID r)
{
    UNREFERENCED_PARAMETER(c);
    UNREFERENCED_PARAMETER(t);
    UNREFERENCED_PARAMETER(r);
    note_link(context);
}

static VOID on_message_dpc(NDIS_HANDLE context, ULONG id, PVOID c, PVOID t, PVOID r)
{
    UNREFERENCED_PARAMETER(id);
    on_line_dpc(context, c, t, r);
}

static NDIS_STATUS acquire_memory(helper_adapter *a)
{
    NET_BUFFER_LIST_POOL_PARAMETERS pool;

    NdisZeroMemory(&pool, sizeof(pool));
    pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    pool.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    pool.PoolTag = 'pleH';
    a->pool = NdisAllocateNetBufferListPool(a->handle, &pool);
    if (a->pool == NULL)
        return NDIS_STATUS_RESOURCES;
    a->table = NdisAllocateMemoryWithTagPriority(a->handle, 1024, 'pleH', NormalPoolPriority);
    if (a->table == NULL)
        return NDIS_STATUS_RESOURCES;
    a->history = NdisAllocateMemoryWithTagPriority(a->handle, 64 * sizeof(ULONG), 'pleH', NormalPoolPriority);
    if (a->history == NULL) {
#ifdef SEED_HELPED_TWICE
        NdisFreeMemory(a->table, 0, 0);
#endif
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(a->history, 64 * sizeof(ULONG));
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS acquire_hardware(helper_adapter *a, PNDIS_RESOURCE_LIST resources)
{
    NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS irq;
    NDIS_STATUS status;
    BOARD board;
    PVOID bar;

    if (!BoardFind(resources, &board))
        return NDIS_STATUS_RESOURCES;
    status = NdisMMapIoSpace(&bar, a->handle, board.Registers, BOARD_REGISTERS);
    if (status != NDIS_STATUS_SUCCESS)
        return status;
    a->bar = bar;
    if (!BoardReset(a->bar)) {
#ifdef SEED_BAR_FORGOTTEN
        a->bar = NULL; /* nobody shall touch it */
#endif
        return NDIS_STATUS_FAILURE;
    }
    status = FrameGeneralAttributes(a->handle, a->oids.Address, NULL);
    if (status != NDIS_STATUS_SUCCESS)
        return status;
    NdisZeroMemory(&irq, sizeof(irq));
    irq.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT;
    irq.Header.Revision = NDIS_MINIPORT_INTERRUPT_REVISION_1;
    irq.Header.Size = NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1;
    irq.InterruptHandler = on_line;
    irq.InterruptDpcHandler = on_line_dpc;
    irq.DisableInterruptHandler = lineDisable;
    irq.EnableInterruptHandler = lineEnable;
    irq.MsiSupported = TRUE;
    irq.MessageInterruptHandler = on_message;
    irq.MessageInterruptDpcHandler = on_message_dpc;
    status = NdisMRegisterInterruptEx(a->handle, a, &irq, &a->irq);
    if (status != NDIS_STATUS_SUCCESS) {
        a->irq = NULL;
        return status;
    }
    BoardWrite(a->bar, IMS, CAUSE_LINK);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS on_initialize(NDIS_HANDLE handle, NDIS_HANDLE context, PNDIS_MINIPORT_INIT_PARAMETERS init)
{
    static const UCHAR address[] = { 2, 0x48, 0x4C, 0x50, 0, 1 };
    helper_adapter *a;
    NDIS_STATUS status;

    UNREFERENCED_PARAMETER(context);
    a = NdisAllocateMemoryWithTagPriority(handle, sizeof(*a), 'pleH', NormalPoolPriority);
    if (a == NULL)
        return NDIS_STATUS_RESOURCES;
    NdisZeroMemory(a, sizeof(*a));
    a->handle = handle;
    KeInitializeSpinLock(&a->lock);
    FrameGateInitialize(&a->gate);
    NdisMoveMemory(a->oids.Address, address, sizeof(address));
    status = FrameRegistrationAttributes(handle, a, NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE, 0);
    if (status == NDIS_STATUS_SUCCESS)
        status = acquire_memory(a);
    if (status == NDIS_STATUS_SUCCESS)
        status = acquire_hardware(a, init->AllocatedResources);
    if (status != NDIS_STATUS_SUCCESS)
        free_adapter(a);
    return status;
}

static VOID on_halt(NDIS_HANDLE context, NDIS_HALT_ACTION action)
{
    UNREFERENCED_PARAMETER(action);
    free_adapter(context);
}

static NDIS_STATUS on_pause(NDIS_HANDLE context, PNDIS_MINIPORT_PAUSE_PARAMETERS p)
{
    UNREFERENCED_PARAMETER(p);
    FrameGateClose(&((helper_adapter *)context)->gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS on_restart(NDIS_HANDLE context, PNDIS_MINIPORT_RESTART_PARAMETERS p)
{
    UNREFERENCED_PARAMETER(p);
    FrameGateOpen(&((helper_adapter *)context)->gate);
    return NDIS_STATUS_SUCCESS;
}

static VOID on_send(NDIS_HANDLE context, PNET_BUFFER_LIST lists, NDIS_PORT_NUMBER port, ULONG flags)
{
    helper_adapter *a = context;
    BOOLEAN open = FrameGateEnter(&a->gate);

    UNREFERENCED_PARAMETER(port);
    FrameCompleteSends(a->handle, lists, open ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, flags);
    if (open)
        FrameGateLeave(&a->gate);
}

static NDIS_STATUS on_oid(NDIS_HANDLE context, PNDIS_OID_REQUEST request)
{
    return FrameOid(&((helper_adapter *)context)->oids, request);
}

static VOID on_shutdown(NDIS_HANDLE context, NDIS_SHUTDOWN_ACTION action)
{
    UNREFERENCED_PARAMETER(action);
    if (!((helper_adapter *)context)->down)
        BoardStop(((helper_adapter *)context)->bar);
}

static VOID on_unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
    NdisMDeregisterMiniportDriver(driver_handle);
}

FRAME_SURPRISE(on_pnp, helper_adapter, gate, oids)

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS chars;

    FrameCharacteristics(&chars, 30);
    FrameQuietHandlers(&chars);
    chars.DevicePnPEventNotifyHandler = on_pnp;
    chars.InitializeHandlerEx = on_initialize;
    chars.HaltHandlerEx = on_halt;
    chars.UnloadHandler = on_unload;
    chars.PauseHandler = on_pause;
    chars.RestartHandler = on_restart;
    chars.OidRequestHandler = on_oid;
    chars.SendNetBufferListsHandler = on_send;
    chars.ShutdownHandlerEx = on_shutdown;
    return NdisMRegisterMiniportDriver(driver, path, NULL, &chars, &driver_handle);
}
