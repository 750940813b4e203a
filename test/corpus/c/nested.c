/* NDIS 6.1, no DMA: port range, mapped registers, a one-shot link timer. Initialize is one pyramid of ifs, each with its else. */
#include "board.h"
#include "frame.h"

typedef struct
{
	NDIS_HANDLE hMiniport;
	BOARD board;
	PUCHAR regs;
	PVOID ports;
	NDIS_HANDLE hTimer;
	NDIS_HANDLE hInterrupt;
	NDIS_EVENT timerDone;
	KSPIN_LOCK lock;
	BOOLEAN stopping;
	BOOLEAN linkUp;
	ULONG speed;
	FRAME_GATE gate;
	FRAME_OIDS oids;
} NESTED, *PNESTED;

static NDIS_HANDLE g_hDriver;

static BOOLEAN NestedIsr(NDIS_HANDLE ctx, PBOOLEAN queue, PULONG targets)
{
	UNREFERENCED_PARAMETER(targets);
	*queue = BoardClaim(((PNESTED)ctx)->regs) != 0;
	return *queue;
}

static VOID NestedArm(PNESTED p)
{
	LARGE_INTEGER due;

	due.QuadPart = -20 * 10000LL;
	NdisSetTimerObject(p->hTimer, due, 0, NULL);
}

/* The link is believed 20 ms after it changed. */
static VOID NestedDpc(NDIS_HANDLE ctx, PVOID c, PVOID t, PVOID r)
{
	PNESTED p = ctx;

	UNREFERENCED_PARAMETER(c);
	UNREFERENCED_PARAMETER(t);
	UNREFERENCED_PARAMETER(r);
	KeAcquireSpinLockAtDpcLevel(&p->lock);
	if (!p->stopping) {
		NdisResetEvent(&p->timerDone);
		NestedArm(p);
		BoardWrite(p->regs, IMS, CAUSE_LINK);
	}
	KeReleaseSpinLockFromDpcLevel(&p->lock);
}

static VOID NestedTimer(PVOID a, PVOID ctx, PVOID b, PVOID c)
{
	PNESTED p = ctx;
	NDIS_LINK_STATE link;
	NDIS_STATUS_INDICATION ind;
	ULONG status;
	BOOLEAN up;

	UNREFERENCED_PARAMETER(a);
	UNREFERENCED_PARAMETER(b);
	UNREFERENCED_PARAMETER(c);
	status = BoardRead(p->regs, STATUS);
	up = status != GONE && (status & STATUS_LINK) != 0;
	if (!p->stopping && up != p->linkUp) {
		p->linkUp = up;
		NdisRawWritePortUchar((PUCHAR)p->ports + PORT_LED, up ? 1 : 0);
		NdisZeroMemory(&link, sizeof(link));
		link.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
		link.Header.Revision = NDIS_LINK_STATE_REVISION_1;
		link.Header.Size = NDIS_SIZEOF_LINK_STATE_REVISION_1;
		link.MediaConnectState = up ? MediaConnectStateConnected : MediaConnectStateDisconnected;
		link.MediaDuplexState = up ? MediaDuplexStateFull : MediaDuplexStateUnknown;
		link.XmitLinkSpeed = link.RcvLinkSpeed = up ? 1000000000ULL : NDIS_LINK_SPEED_UNKNOWN;
		NdisZeroMemory(&ind, sizeof(ind));
		ind.Header.Type = NDIS_OBJECT_TYPE_STATUS_INDICATION;
		ind.Header.Revision = NDIS_STATUS_INDICATION_REVISION_1;
		ind.Header.Size = NDIS_SIZEOF_STATUS_INDICATION_REVISION_1;
		ind.SourceHandle = p->hMiniport;
		ind.StatusCode = NDIS_STATUS_LINK_STATE;
		ind.StatusBuffer = &link;
		ind.StatusBufferSize = sizeof(link);
		NdisMIndicateStatusEx(p->hMiniport, &ind);
	}
	NdisSetEvent(&p->timerDone);
}

static NDIS_STATUS NestedReadSettings(PNESTED p)
{
	NDIS_CONFIGURATION_OBJECT object;
	NDIS_CONFIGURATION_PARAMETER *value;
	NDIS_STRING keyword = NDIS_STRING_CONST("*SpeedDuplex");
	NDIS_HANDLE config;
	NDIS_STATUS status;

	object.Header.Type = NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT;
	object.Header.Revision = NDIS_CONFIGURATION_OBJECT_REVISION_1;
	object.Header.Size = NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1;
	object.NdisHandle = p->hMiniport;
	object.Flags = 0;
	status = NdisOpenConfigurationEx(&object, &config);
	if (status != NDIS_STATUS_SUCCESS)
		return status;
	NdisReadConfiguration(&status, &value, config, &keyword, NdisParameterInteger);
	if (status == NDIS_STATUS_SUCCESS) {
		p->speed = value->ParameterData.IntegerData;
		if (p->speed > 6) {
#ifndef SEED_SPEED_RANGE
			NdisCloseConfiguration(config);
#endif
			return NDIS_STATUS_FAILURE;
		}
	}
	NdisCloseConfiguration(config);
	return NDIS_STATUS_SUCCESS;
}

static BOOLEAN NestedReadEeprom(PNESTED p)
{
	USHORT word, sum = 0, i;

	for (i = 0; i < 4; i++) {
		NdisRawWritePortUshort((PUCHAR)p->ports + PORT_EEPROM_INDEX, i);
		NdisRawReadPortUshort((PUCHAR)p->ports + PORT_EEPROM_DATA, &word);
		sum = (USHORT)(sum + word);
		if (i < 3)
			NdisMoveMemory(p->oids.Address + 2 * i, &word, 2);
	}
	return (BOOLEAN)(sum == 0xBABA);
}

static NDIS_STATUS NestedInitialize(NDIS_HANDLE hMiniport, NDIS_HANDLE ctx, PNDIS_MINIPORT_INIT_PARAMETERS init)
{
	NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS irq;
	NDIS_TIMER_CHARACTERISTICS timer;
	NDIS_STATUS status;
	PNESTED p;

	UNREFERENCED_PARAMETER(ctx);
	p = NdisAllocateMemoryWithTagPriority(hMiniport, sizeof(NESTED), 'tseN', LowPoolPriority);
	if (p != NULL) {
		NdisZeroMemory(p, sizeof(NESTED));
		p->hMiniport = hMiniport;
		KeInitializeSpinLock(&p->lock);
		NdisInitializeEvent(&p->timerDone);
		NdisSetEvent(&p->timerDone);
		FrameGateInitialize(&p->gate);
		status = FrameRegistrationAttributes(hMiniport, p, NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE, 0);
		if (status == NDIS_STATUS_SUCCESS)
			status = NestedReadSettings(p);
		if (status == NDIS_STATUS_SUCCESS && BoardFind(init->AllocatedResources, &p->board)) {
			status = NdisMRegisterIoPortRange(&p->ports, hMiniport, p->board.FirstPort, BOARD_PORTS);
			if (status == NDIS_STATUS_SUCCESS) {
				status = NdisMMapIoSpace((PVOID *)&p->regs, hMiniport, p->board.Registers, BOARD_REGISTERS);
				if (status == NDIS_STATUS_SUCCESS) {
					if (NestedReadEeprom(p) && BoardReset(p->regs)) {
						status = FrameGeneralAttributes(hMiniport, p->oids.Address, NULL);
					} else {
						status = NDIS_STATUS_FAILURE;
					}
					if (status == NDIS_STATUS_SUCCESS) {
						NdisZeroMemory(&timer, sizeof(timer));
						timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
						timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
						timer.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
						timer.AllocationTag = 'tseN';
						timer.TimerFunction = NestedTimer;
						timer.FunctionContext = p;
						status = NdisAllocateTimerObject(hMiniport, &timer, &p->hTimer);
						if (status == NDIS_STATUS_SUCCESS) {
							NdisZeroMemory(&irq, sizeof(irq));
							irq.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT;
							irq.Header.Revision = NDIS_MINIPORT_INTERRUPT_REVISION_1;
							irq.Header.Size = NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1;
							irq.InterruptHandler = NestedIsr;
							irq.InterruptDpcHandler = NestedDpc;
							status = NdisMRegisterInterruptEx(hMiniport, p, &irq, &p->hInterrupt);
							if (status == NDIS_STATUS_SUCCESS) {
								BoardWrite(p->regs, IMS, CAUSE_LINK);
								return NDIS_STATUS_SUCCESS;
							}
							NdisFreeTimerObject(p->hTimer);
#ifdef SEED_INNER_ELSE
							NdisMUnmapIoSpace(hMiniport, p->regs, BOARD_REGISTERS);
						}
					} else {
						NdisMUnmapIoSpace(hMiniport, p->regs, BOARD_REGISTERS);
					}
#else
						}
					}
					NdisMUnmapIoSpace(hMiniport, p->regs, BOARD_REGISTERS);
#endif
				}
				NdisMDeregisterIoPortRange(hMiniport, p->board.FirstPort, BOARD_PORTS, p->ports);
			}
		} else if (status == NDIS_STATUS_SUCCESS) {
			status = NDIS_STATUS_RESOURCES;
		}
		NdisFreeMemory(p, 0, 0);
	} else {
		status = NDIS_STATUS_RESOURCES;
	}
	return status;
}

static VOID NestedHalt(NDIS_HANDLE ctx, NDIS_HALT_ACTION action)
{
	PNESTED p = ctx;
	KIRQL irql;

	UNREFERENCED_PARAMETER(action);
	p->stopping = TRUE;
	KeAcquireSpinLock(&p->lock, &irql); /* the DPC has seen it */
	KeReleaseSpinLock(&p->lock, irql);
	BoardStop(p->regs);
	NdisMDeregisterInterruptEx(p->hInterrupt);
#ifdef SEED_CANCEL_IS_ENOUGH
	NdisCancelTimerObject(p->hTimer);
#else
	if (!NdisCancelTimerObject(p->hTimer))
		NdisWaitEvent(&p->timerDone, 0);
	KeFlushQueuedDpcs(); /* set once more, it can be cancelled while its callback of before still runs */
#endif
	NdisFreeTimerObject(p->hTimer);
#ifdef SEED_MAP_LENGTH
	NdisMUnmapIoSpace(p->hMiniport, p->regs, SPEED + sizeof(ULONG));
#else
	NdisMUnmapIoSpace(p->hMiniport, p->regs, BOARD_REGISTERS);
#endif
#ifdef SEED_PORT_COUNT
	NdisMDeregisterIoPortRange(p->hMiniport, p->board.FirstPort, PORT_WAKE + 1, p->ports);
#else
	NdisMDeregisterIoPortRange(p->hMiniport, p->board.FirstPort, BOARD_PORTS, p->ports);
#endif
	NdisFreeMemory(p, 0, 0);
}

static NDIS_STATUS NestedPause(NDIS_HANDLE ctx, PNDIS_MINIPORT_PAUSE_PARAMETERS x)
{
	UNREFERENCED_PARAMETER(x);
	FrameGateClose(&((PNESTED)ctx)->gate);
	return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS NestedRestart(NDIS_HANDLE ctx, PNDIS_MINIPORT_RESTART_PARAMETERS x)
{
	UNREFERENCED_PARAMETER(x);
	FrameGateOpen(&((PNESTED)ctx)->gate);
	return NDIS_STATUS_SUCCESS;
}

static VOID NestedSend(NDIS_HANDLE ctx, PNET_BUFFER_LIST lists, NDIS_PORT_NUMBER port, ULONG flags)
{
	PNESTED p = ctx;

	UNREFERENCED_PARAMETER(port);
	if (FrameGateEnter(&p->gate)) {
		FrameCompleteSends(p->hMiniport, lists, NDIS_STATUS_SUCCESS, flags);
		FrameGateLeave(&p->gate);
	} else {
		FrameCompleteSends(p->hMiniport, lists, NDIS_STATUS_PAUSED, flags);
	}
}

static NDIS_STATUS NestedOid(NDIS_HANDLE ctx, PNDIS_OID_REQUEST request)
{
	return FrameOid(&((PNESTED)ctx)->oids, request);
}

static VOID NestedShutdown(NDIS_HANDLE ctx, NDIS_SHUTDOWN_ACTION action)
{
	UNREFERENCED_PARAMETER(action);
	if (!((PNESTED)ctx)->stopping)
		BoardStop(((PNESTED)ctx)->regs);
}

static VOID NestedUnload(PDRIVER_OBJECT driver)
{
	UNREFERENCED_PARAMETER(driver);
	NdisMDeregisterMiniportDriver(g_hDriver);
}

FRAME_SURPRISE(NestedPnp, NESTED, gate, oids)

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
	NDIS_MINIPORT_DRIVER_CHARACTERISTICS chars;

	FrameCharacteristics(&chars, 1);
	FrameQuietHandlers(&chars);
	chars.DevicePnPEventNotifyHandler = NestedPnp;
	chars.InitializeHandlerEx = NestedInitialize;
	chars.HaltHandlerEx = NestedHalt;
	chars.UnloadHandler = NestedUnload;
	chars.PauseHandler = NestedPause;
	chars.RestartHandler = NestedRestart;
	chars.OidRequestHandler = NestedOid;
	chars.SendNetBufferListsHandler = NestedSend;
	chars.ShutdownHandlerEx = NestedShutdown;
	return NdisMRegisterMiniportDriver(driver, path, NULL, &chars, &g_hDriver);
}
