/* NDIS 6.30: MiniportAddDevice makes a context with what outlives a stop; initialize and halt come and go in between. */
#include <ndis.h>
#include "frame.h"

typedef struct _ADD_CONTEXT {
    ULONG Signature;
    NDIS_HANDLE Adapter;
    ULONG Starts;
    PUCHAR Provisioning; /* read once, kept over stop and start */
} ADD_CONTEXT, *PADD_CONTEXT;

typedef struct _RUN_CONTEXT {
    NDIS_HANDLE Adapter;
    PADD_CONTEXT Add;
    NDIS_HANDLE Pool;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
} RUN_CONTEXT, *PRUN_CONTEXT;

static NDIS_HANDLE AddDriver;

static NDIS_STATUS AddAddDevice(NDIS_HANDLE Adapter, NDIS_HANDLE DriverContext)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;
    PADD_CONTEXT Add;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(DriverContext);
    Add = NdisAllocateMemoryWithTagPriority(Adapter, sizeof(*Add), ' ddA', NormalPoolPriority);
    if (Add == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(Add, sizeof(*Add));
    Add->Signature = ' ddA';
    Add->Adapter = Adapter;
    Add->Provisioning = NdisAllocateMemoryWithTagPriority(Adapter, 512, 'pddA', NormalPoolPriority);
    if (Add->Provisioning == NULL) {
        NdisFreeMemory(Add, 0, 0);
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(Add->Provisioning, 512);
    Add->Provisioning[0] = 2;
    NdisZeroMemory(&Attributes, sizeof(Attributes));
    Attributes.AddDeviceRegistrationAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES;
    Attributes.AddDeviceRegistrationAttributes.Header.Revision =
        NDIS_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES_REVISION_1;
    Attributes.AddDeviceRegistrationAttributes.Header.Size =
        NDIS_SIZEOF_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES_REVISION_1;
    Attributes.AddDeviceRegistrationAttributes.MiniportAddDeviceContext = Add;
    Status = NdisMSetMiniportAttributes(Adapter, &Attributes);
    if (Status != NDIS_STATUS_SUCCESS) {
#ifndef SEED_ATTRIBUTES_FAIL
        NdisFreeMemory(Add->Provisioning, 0, 0);
#endif
        NdisFreeMemory(Add, 0, 0);
    }
    return Status;
}

static VOID AddRemoveDevice(NDIS_HANDLE AddContext)
{
    PADD_CONTEXT Add = AddContext;

#ifdef SEED_NEVER_STARTED
    if (Add->Starts == 0) {
        NdisFreeMemory(Add, 0, 0); /* nothing was provisioned for it */
        return;
    }
#endif
    NdisFreeMemory(Add->Provisioning, 0, 0);
    NdisFreeMemory(Add, 0, 0);
}

static NDIS_STATUS AddPnpIrp(NDIS_HANDLE AddContext, PIRP Irp)
{
    UNREFERENCED_PARAMETER(AddContext);
    UNREFERENCED_PARAMETER(Irp);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS AddSetOptions(NDIS_HANDLE Driver, NDIS_HANDLE Context)
{
    NDIS_MINIPORT_PNP_CHARACTERISTICS Pnp;

    UNREFERENCED_PARAMETER(Context);
    NdisZeroMemory(&Pnp, sizeof(Pnp));
    Pnp.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_PNP_CHARACTERISTICS;
    Pnp.Header.Revision = NDIS_MINIPORT_PNP_CHARACTERISTICS_REVISION_1;
    Pnp.Header.Size = NDIS_SIZEOF_MINIPORT_PNP_CHARACTERISTICS_REVISION_1;
    Pnp.MiniportAddDeviceHandler = AddAddDevice;
    Pnp.MiniportRemoveDeviceHandler = AddRemoveDevice;
    Pnp.MiniportFilterResourceRequirementsHandler = AddPnpIrp;
    Pnp.MiniportStartDeviceHandler = AddPnpIrp;
    return NdisSetOptionalHandlers(Driver, (PNDIS_DRIVER_OPTIONAL_HANDLERS)&Pnp);
}

static NDIS_STATUS AddInitialize(NDIS_HANDLE Adapter, NDIS_HANDLE DriverContext, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    NET_BUFFER_LIST_POOL_PARAMETERS Pool;
    PADD_CONTEXT Add = Init->MiniportAddDeviceContext;
    PRUN_CONTEXT Run;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(DriverContext);
    if (Add == NULL || Add->Signature != ' ddA') {
        return NDIS_STATUS_FAILURE;
    }
    Run = NdisAllocateMemoryWithTagPriority(Adapter, sizeof(*Run), 'rddA', NormalPoolPriority);
    if (Run == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(Run, sizeof(*Run));
    Run->Adapter = Adapter;
    Run->Add = Add;
    FrameGateInitialize(&Run->Gate);
    NdisMoveMemory(Run->Oids.Address, Add->Provisioning, FRAME_ADDRESS_LENGTH);
    Status = FrameRegistrationAttributes(Adapter, Run, 0, 0);
    if (Status == NDIS_STATUS_SUCCESS) {
        NdisZeroMemory(&Pool, sizeof(Pool));
        Pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
        Pool.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
        Pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
        Pool.PoolTag = 'rddA';
        Run->Pool = NdisAllocateNetBufferListPool(Adapter, &Pool);
        Status = Run->Pool == NULL ? NDIS_STATUS_RESOURCES : FrameGeneralAttributes(Adapter, Run->Oids.Address, NULL);
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        if (Run->Pool != NULL) {
            NdisFreeNetBufferListPool(Run->Pool);
        }
#ifdef SEED_FAILED_START
        NdisFreeMemory(Add->Provisioning, 0, 0); /* it will not be started again */
#endif
        NdisFreeMemory(Run, 0, 0);
        return Status;
    }
    Add->Starts++;
    return NDIS_STATUS_SUCCESS;
}

static VOID AddHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    PRUN_CONTEXT Run = Context;

#ifdef SEED_HALT_FREES
    NdisFreeMemory(Run->Add->Provisioning, 0, 0);
#endif
    UNREFERENCED_PARAMETER(Action);
    NdisFreeNetBufferListPool(Run->Pool);
    NdisFreeMemory(Run, 0, 0);
}

static NDIS_STATUS AddPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateClose(&((PRUN_CONTEXT)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS AddRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS P)
{
    UNREFERENCED_PARAMETER(P);
    FrameGateOpen(&((PRUN_CONTEXT)Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static VOID AddSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    PRUN_CONTEXT Run = Context;
    BOOLEAN Open = FrameGateEnter(&Run->Gate);

    UNREFERENCED_PARAMETER(Port);
    FrameCompleteSends(Run->Adapter, Lists, Open ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, Flags);
    if (Open) {
        FrameGateLeave(&Run->Gate);
    }
}

static NDIS_STATUS AddOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&((PRUN_CONTEXT)Context)->Oids, Request);
}

static VOID AddUnload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    NdisMDeregisterMiniportDriver(AddDriver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 30);
    FrameQuietHandlers(&Chars);
    Chars.SetOptionsHandler = AddSetOptions;
    Chars.InitializeHandlerEx = AddInitialize;
    Chars.HaltHandlerEx = AddHalt;
    Chars.UnloadHandler = AddUnload;
    Chars.PauseHandler = AddPause;
    Chars.RestartHandler = AddRestart;
    Chars.OidRequestHandler = AddOid;
    Chars.SendNetBufferListsHandler = AddSend;
    return NdisMRegisterMiniportDriver(Driver, Path, NULL, &Chars, &AddDriver);
}
