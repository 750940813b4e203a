// NDIS 6.40 in C++: scope guards undo what initialize did unless it is dismissed at the end; halt does the same by hand.
#include "cpp.h"

template <typename F> class Guard {
public:
    explicit Guard(F Undo) : Undo_(Undo)
    {
    }
    Guard(const Guard &) = delete;
    ~Guard()
    {
        if (Armed_) {
            Undo_();
        }
    }
    void Dismiss()
    {
        Armed_ = false;
    }

private:
    F Undo_;
    bool Armed_ = true;
};

struct Gvn {
    NDIS_HANDLE Miniport;
    NDIS_HANDLE Nbls;
    NDIS_HANDLE Beat;
    NDIS_HANDLE Worker;
    PUCHAR Filter;
    FRAME_JOB Job;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
};

static NDIS_HANDLE GvnDriver;

static VOID GvnWork(PVOID Context, NDIS_HANDLE)
{
    auto *Self = static_cast<Gvn *>(Context);

    Self->Filter[0]++;
    FrameJobEnd(&Self->Job);
}

static VOID GvnBeat(PVOID, PVOID Context, PVOID, PVOID)
{
    auto *Self = static_cast<Gvn *>(Context);

    if (FrameJobBegin(&Self->Job)) {
        NdisQueueIoWorkItem(Self->Worker, GvnWork, Self);
    }
}

static NDIS_STATUS GvnInitialize(NDIS_HANDLE Miniport, NDIS_HANDLE, PNDIS_MINIPORT_INIT_PARAMETERS)
{
    const UCHAR Address[] = { 2, 0x47, 0x56, 0x4E, 0, 1 };
    NDIS_STATUS Status;

    auto *Self = static_cast<Gvn *>(NdisAllocateMemoryWithTagPriority(Miniport, sizeof(Gvn), 'nvG ', LowPoolPriority));
    if (Self == nullptr) {
        return NDIS_STATUS_RESOURCES;
    }
    Guard FreeSelf([&] { NdisFreeMemory(Self, 0, 0); });
    NdisZeroMemory(Self, sizeof(Gvn));
    Self->Miniport = Miniport;
    FrameJobInitialize(&Self->Job);
    FrameGateInitialize(&Self->Gate);
    NdisMoveMemory(Self->Oids.Address, Address, sizeof(Address));
    Status = FrameRegistrationAttributes(Miniport, Self, 0, 0);
    if (Status != NDIS_STATUS_SUCCESS) {
        return Status;
    }

    NET_BUFFER_LIST_POOL_PARAMETERS Parameters = {};
    Parameters.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Parameters.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Parameters.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Parameters.fAllocateNetBuffer = TRUE;
    Parameters.PoolTag = 'nvG ';
    Self->Nbls = NdisAllocateNetBufferListPool(Miniport, &Parameters);
    if (Self->Nbls == nullptr) {
        return NDIS_STATUS_RESOURCES;
    }
    Guard FreeNbls([&] { NdisFreeNetBufferListPool(Self->Nbls); });

    Self->Worker = NdisAllocateIoWorkItem(Miniport);
    if (Self->Worker == nullptr) {
        return NDIS_STATUS_RESOURCES;
    }
    Guard FreeWorker([&] { NdisFreeIoWorkItem(Self->Worker); });
#ifdef SEED_DISMISSED_EARLY
    FreeNbls.Dismiss();
#endif
    Self->Filter = static_cast<PUCHAR>(NdisAllocateMemoryWithTagPriority(Miniport, 4096, 'fvG ', LowPoolPriority));
    if (Self->Filter == nullptr) {
        return NDIS_STATUS_RESOURCES;
    }
#ifdef SEED_WRONG_CAPTURE
    // The guard keeps the pointer as it is now, not as it will be.
    PUCHAR Filter = nullptr;
    Guard FreeFilter([Filter] {
        if (Filter != nullptr) {
            NdisFreeMemory(Filter, 0, 0);
        }
    });
    Filter = Self->Filter;
    Filter[0] = 0;
#else
    Guard FreeFilter([&] { NdisFreeMemory(Self->Filter, 0, 0); });
#endif

    NDIS_TIMER_CHARACTERISTICS Timer = {};
    Timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
    Timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
    Timer.AllocationTag = 'tvG ';
    Timer.TimerFunction = GvnBeat;
    Timer.FunctionContext = Self;
    Status = NdisAllocateTimerObject(Miniport, &Timer, &Self->Beat);
    if (Status != NDIS_STATUS_SUCCESS) {
        return Status;
    }
    Guard FreeBeat([&] { NdisFreeTimerObject(Self->Beat); });
    Status = FrameGeneralAttributes(Miniport, Address, nullptr);
    if (Status != NDIS_STATUS_SUCCESS) {
        return Status;
    }

    LARGE_INTEGER Due;
    Due.QuadPart = -30 * 10000LL;
    NdisSetTimerObject(Self->Beat, Due, 30, nullptr);
    FreeBeat.Dismiss();
    FreeFilter.Dismiss();
    FreeWorker.Dismiss();
    FreeNbls.Dismiss();
    FreeSelf.Dismiss();
    return NDIS_STATUS_SUCCESS;
}

static VOID GvnHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION)
{
    auto *Self = static_cast<Gvn *>(Context);

#ifdef SEED_WAITS_FIRST
    FrameJobWait(&Self->Job);
    NdisCancelTimerObject(Self->Beat);
#else
    NdisCancelTimerObject(Self->Beat);
    FrameJobWait(&Self->Job);
#endif
    NdisFreeTimerObject(Self->Beat);
    NdisFreeMemory(Self->Filter, 0, 0);
    NdisFreeIoWorkItem(Self->Worker);
    NdisFreeNetBufferListPool(Self->Nbls);
    NdisFreeMemory(Self, 0, 0);
}

static NDIS_STATUS GvnPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS)
{
    FrameGateClose(&static_cast<Gvn *>(Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS GvnRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS)
{
    FrameGateOpen(&static_cast<Gvn *>(Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

static VOID GvnSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER, ULONG Flags)
{
    auto *Self = static_cast<Gvn *>(Context);
    const bool Open = FrameGateEnter(&Self->Gate);

    FrameCompleteSends(Self->Miniport, Lists, Open ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, Flags);
    if (Open) {
        FrameGateLeave(&Self->Gate);
    }
}

static NDIS_STATUS GvnOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&static_cast<Gvn *>(Context)->Oids, Request);
}

static VOID GvnUnload(PDRIVER_OBJECT)
{
    NdisMDeregisterMiniportDriver(GvnDriver);
}

extern "C" NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 40);
    FrameQuietHandlers(&Chars);
    Chars.InitializeHandlerEx = GvnInitialize;
    Chars.HaltHandlerEx = GvnHalt;
    Chars.UnloadHandler = GvnUnload;
    Chars.PauseHandler = GvnPause;
    Chars.RestartHandler = GvnRestart;
    Chars.OidRequestHandler = GvnOid;
    Chars.SendNetBufferListsHandler = GvnSend;
    return NdisMRegisterMiniportDriver(Driver, Path, nullptr, &Chars, &GvnDriver);
}
