/* NDIS 6.0, an old board: line interrupt only, ports for EEPROM and LEDs, a hardware tick; single global-free module. */
#include "board.h"
#include "frame.h"

struct line {
	NDIS_HANDLE mp;
	NDIS_HANDLE intr;
	PUCHAR io;              /* port range */
	PUCHAR mem;
	BOARD res;
	BOOLEAN halting;
	ULONG ticks;
	KSPIN_LOCK lock;
	FRAME_GATE gate;
	FRAME_OIDS oids;
};

static NDIS_HANDLE line_driver;

static BOOLEAN line_isr(NDIS_HANDLE ctx, PBOOLEAN queue, PULONG cpus)
{
	struct line *l = ctx;

	UNREFERENCED_PARAMETER(cpus);
#ifdef SEED_CLAIMS_ALL
	/* The line is ours alone on this board. */
	BoardClaim(l->mem);
	*queue = TRUE;
	return TRUE;
#else
	if (BoardClaim(l->mem) == 0) {
		*queue = FALSE;
		return FALSE;
	}
	*queue = TRUE;
	return TRUE;
#endif
}

static VOID line_dpc(NDIS_HANDLE ctx, PVOID a, PVOID b, PVOID c)
{
	struct line *l = ctx;

	UNREFERENCED_PARAMETER(a);
	UNREFERENCED_PARAMETER(b);
	UNREFERENCED_PARAMETER(c);
	KeAcquireSpinLockAtDpcLevel(&l->lock);
	l->ticks++;
	if (!l->halting) {
		if (l->ticks % 16 == 0)
			NdisRawWritePortUchar(l->io + PORT_LED, (l->ticks / 16) & 1);
		BoardWrite(l->mem, IMS, CAUSE_TICK | CAUSE_LINK);
	}
	KeReleaseSpinLockFromDpcLevel(&l->lock);
}

/* Beside the ISR: what it reads and clears must not be torn. */
static BOOLEAN line_quiet(NDIS_HANDLE ctx)
{
	struct line *l = ctx;

	BoardWrite(l->mem, IMC, CAUSE_ALL);
	(void)BoardRead(l->mem, ICR);
	return TRUE;
}

static int line_eeprom(struct line *l)
{
	USHORT w[4], sum = 0;
	int i;

	for (i = 0; i < 4; i++) {
		NdisRawWritePortUshort(l->io + PORT_EEPROM_INDEX, i);
		NdisRawReadPortUshort(l->io + PORT_EEPROM_DATA, &w[i]);
		sum = (USHORT)(sum + w[i]);
	}
	NdisMoveMemory(l->oids.Address, w, FRAME_ADDRESS_LENGTH);
	return sum == 0xBABA;
}

static NDIS_STATUS line_attach(struct line *l, PNDIS_RESOURCE_LIST list)
{
	NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS ic;
	NDIS_STATUS st;

	if (!BoardFind(list, &l->res))
		return NDIS_STATUS_RESOURCES;
	st = NdisMRegisterIoPortRange((PVOID *)&l->io, l->mp, l->res.FirstPort, BOARD_PORTS);
	if (st != NDIS_STATUS_SUCCESS)
		return st;
	if (!line_eeprom(l)) {
		NdisMDeregisterIoPortRange(l->mp, l->res.FirstPort, BOARD_PORTS, l->io);
		return NDIS_STATUS_FAILURE;
	}
	st = NdisMMapIoSpace((PVOID *)&l->mem, l->mp, l->res.Registers, BOARD_REGISTERS);
	if (st != NDIS_STATUS_SUCCESS) {
#ifndef SEED_PORTS_LEFT
		NdisMDeregisterIoPortRange(l->mp, l->res.FirstPort, BOARD_PORTS, l->io);
#endif
		return st;
	}
	st = BoardReset(l->mem) ? FrameGeneralAttributes(l->mp, l->oids.Address, NULL) : NDIS_STATUS_FAILURE;
	if (st == NDIS_STATUS_SUCCESS) {
		NdisZeroMemory(&ic, sizeof ic);
		ic.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT;
		ic.Header.Revision = NDIS_MINIPORT_INTERRUPT_REVISION_1;
		ic.Header.Size = NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1;
		ic.InterruptHandler = line_isr;
		ic.InterruptDpcHandler = line_dpc;
		st = NdisMRegisterInterruptEx(l->mp, l, &ic, &l->intr);
	}
	if (st != NDIS_STATUS_SUCCESS) {
		NdisMUnmapIoSpace(l->mp, l->mem, BOARD_REGISTERS);
		NdisMDeregisterIoPortRange(l->mp, l->res.FirstPort, BOARD_PORTS, l->io);
	}
	return st;
}

static NDIS_STATUS line_init(NDIS_HANDLE mp, NDIS_HANDLE ctx, PNDIS_MINIPORT_INIT_PARAMETERS par)
{
	struct line *l;
	NDIS_STATUS st;

	UNREFERENCED_PARAMETER(ctx);
	l = NdisAllocateMemoryWithTagPriority(mp, sizeof *l, 'eniL', NormalPoolPriority);
	if (!l)
		return NDIS_STATUS_RESOURCES;
	NdisZeroMemory(l, sizeof *l);
	l->mp = mp;
	KeInitializeSpinLock(&l->lock);
	FrameGateInitialize(&l->gate);
	st = FrameRegistrationAttributes(mp, l, NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE, 0);
	if (st == NDIS_STATUS_SUCCESS)
		st = line_attach(l, par->AllocatedResources);
	if (st != NDIS_STATUS_SUCCESS) {
		NdisFreeMemory(l, 0, 0);
		return st;
	}
	NdisRawWritePortUchar(l->io + PORT_WAKE, 1);
	BoardWrite(l->mem, CTRL, CTRL_TICK);
	BoardWrite(l->mem, IMS, CAUSE_TICK | CAUSE_LINK);
	return NDIS_STATUS_SUCCESS;
}

static VOID line_halt(NDIS_HANDLE ctx, NDIS_HALT_ACTION why)
{
	struct line *l = ctx;
	KIRQL irql;

	UNREFERENCED_PARAMETER(why);
	l->halting = TRUE;
	KeAcquireSpinLock(&l->lock, &irql); /* the DPC has seen it */
	KeReleaseSpinLock(&l->lock, irql);
	NdisMSynchronizeWithInterruptEx(l->intr, 0, line_quiet, l);
#ifdef SEED_TICK_GOES_ON
	/* Masked is as good as stopped. */
#else
	BoardWrite(l->mem, CTRL, 0);
#endif
#ifndef SEED_WAKE_ARMED
	NdisRawWritePortUchar(l->io + PORT_WAKE, 0);
#endif
#ifdef SEED_LAST_LED
	NdisMDeregisterInterruptEx(l->intr);
	NdisMUnmapIoSpace(l->mp, l->mem, BOARD_REGISTERS);
	NdisMDeregisterIoPortRange(l->mp, l->res.FirstPort, BOARD_PORTS, l->io);
	NdisRawWritePortUchar(l->io + PORT_LED, 0);
#elif defined(SEED_SYNC_LATE)
	NdisRawWritePortUchar(l->io + PORT_LED, 0);
	NdisMDeregisterInterruptEx(l->intr);
	NdisMSynchronizeWithInterruptEx(l->intr, 0, line_quiet, l);
	NdisMUnmapIoSpace(l->mp, l->mem, BOARD_REGISTERS);
	NdisMDeregisterIoPortRange(l->mp, l->res.FirstPort, BOARD_PORTS, l->io);
#else
	NdisRawWritePortUchar(l->io + PORT_LED, 0);
	NdisMDeregisterInterruptEx(l->intr);
	NdisMUnmapIoSpace(l->mp, l->mem, BOARD_REGISTERS);
	NdisMDeregisterIoPortRange(l->mp, l->res.FirstPort, BOARD_PORTS, l->io);
#endif
	NdisFreeMemory(l, 0, 0);
}

static NDIS_STATUS line_pause(NDIS_HANDLE ctx, PNDIS_MINIPORT_PAUSE_PARAMETERS p)
{
	UNREFERENCED_PARAMETER(p);
	FrameGateClose(&((struct line *)ctx)->gate);
	return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS line_restart(NDIS_HANDLE ctx, PNDIS_MINIPORT_RESTART_PARAMETERS p)
{
	UNREFERENCED_PARAMETER(p);
	FrameGateOpen(&((struct line *)ctx)->gate);
	return NDIS_STATUS_SUCCESS;
}

static VOID line_send(NDIS_HANDLE ctx, PNET_BUFFER_LIST nbl, NDIS_PORT_NUMBER port, ULONG flags)
{
	struct line *l = ctx;
	BOOLEAN open = FrameGateEnter(&l->gate);

	UNREFERENCED_PARAMETER(port);
	FrameCompleteSends(l->mp, nbl, open ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, flags);
	if (open)
		FrameGateLeave(&l->gate);
}

static NDIS_STATUS line_oid(NDIS_HANDLE ctx, PNDIS_OID_REQUEST req)
{
	return FrameOid(&((struct line *)ctx)->oids, req);
}

static VOID line_shutdown(NDIS_HANDLE ctx, NDIS_SHUTDOWN_ACTION why)
{
	struct line *l = ctx;

	UNREFERENCED_PARAMETER(why);
	if (l->halting)
		return;
	BoardStop(l->mem);
	NdisRawWritePortUchar(l->io + PORT_WAKE, 0);
}

static VOID line_unload(PDRIVER_OBJECT drv)
{
	UNREFERENCED_PARAMETER(drv);
	NdisMDeregisterMiniportDriver(line_driver);
}

FRAME_SURPRISE(line_pnp, struct line, gate, oids)

NTSTATUS DriverEntry(PDRIVER_OBJECT drv, PUNICODE_STRING path)
{
	NDIS_MINIPORT_DRIVER_CHARACTERISTICS mc;

	FrameCharacteristics(&mc, 0);
	FrameQuietHandlers(&mc);
	mc.DevicePnPEventNotifyHandler = line_pnp;
	mc.InitializeHandlerEx = line_init;
	mc.HaltHandlerEx = line_halt;
	mc.UnloadHandler = line_unload;
	mc.PauseHandler = line_pause;
	mc.RestartHandler = line_restart;
	mc.OidRequestHandler = line_oid;
	mc.SendNetBufferListsHandler = line_send;
	mc.ShutdownHandlerEx = line_shutdown;
	return NdisMRegisterMiniportDriver(drv, path, NULL, &mc, &line_driver);
}
