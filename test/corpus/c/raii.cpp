// NDIS 6.30 in C++: every resource is an object, the adapter is made of them, and destruction undoes them in reverse.
#include "cpp.h"
#ifdef SEED_NOT_VIRTUAL
#pragma clang diagnostic ignored "-Wdelete-abstract-non-virtual-dtor"
#endif

namespace {

constexpr ULONG Tag = 'iiaR';
NDIS_HANDLE DriverHandle;

template <typename T> T &&Move(T &Value)
{
    return static_cast<T &&>(Value);
}

class Memory {
public:
    Memory() = default;
    Memory(NDIS_HANDLE Adapter, UINT Bytes)
        : Block(NdisAllocateMemoryWithTagPriority(Adapter, Bytes, Tag, NormalPoolPriority))
    {
        if (Block != nullptr) {
            NdisZeroMemory(Block, Bytes);
        }
    }
#ifdef SEED_COPIED_OWNER
    Memory(const Memory &) = default;
    Memory &operator=(const Memory &) = default;
#else
    Memory(Memory &&Other) : Block(Other.Release())
    {
    }
    Memory &operator=(Memory &&Other)
    {
#ifndef SEED_ASSIGN_OVER
        Reset();
#endif
        Block = Other.Release();
        return *this;
    }
#endif
    ~Memory()
    {
        Reset();
    }
    void Reset()
    {
        if (Block != nullptr) {
            NdisFreeMemory(Block, 0, 0);
            Block = nullptr;
        }
    }
    PVOID Release()
    {
        PVOID Old = Block;
        Block = nullptr;
        return Old;
    }
    template <typename T> T *As() const
    {
        return static_cast<T *>(Block);
    }
    explicit operator bool() const
    {
        return Block != nullptr;
    }

private:
    PVOID Block = nullptr;
};

class Registers {
public:
    NDIS_STATUS Map(NDIS_HANDLE Adapter, PHYSICAL_ADDRESS Address)
    {
        Owner = Adapter;
        return NdisMMapIoSpace(reinterpret_cast<PVOID *>(&Base), Adapter, Address, BOARD_REGISTERS);
    }
    ~Registers()
    {
        if (Base != nullptr) {
            NdisMUnmapIoSpace(Owner, Base, BOARD_REGISTERS);
        }
    }
    operator PUCHAR() const
    {
        return Base;
    }

private:
    NDIS_HANDLE Owner = nullptr;
    PUCHAR Base = nullptr;
};

// What sends and what receives: each with a table of its own kind.
class Channel {
public:
    explicit Channel(NDIS_HANDLE Adapter) : Owner(Adapter)
    {
    }
#ifndef SEED_NOT_VIRTUAL
    virtual
#endif
    ~Channel()
    {
    }
    virtual bool Open() = 0;

protected:
    NDIS_HANDLE Owner;
};

class ReceiveChannel final : public Channel {
public:
    using Channel::Channel;
    ~ReceiveChannel()
    {
        if (Pool != nullptr) {
            NdisFreeNetBufferListPool(Pool);
        }
    }
    bool Open() override
    {
        NET_BUFFER_LIST_POOL_PARAMETERS Parameters = {};

        Parameters.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
        Parameters.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
        Parameters.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
        Parameters.PoolTag = Tag;
        Pool = NdisAllocateNetBufferListPool(Owner, &Parameters);
        return Pool != nullptr;
    }

private:
    NDIS_HANDLE Pool = nullptr;
};

class SendChannel final : public Channel {
public:
    using Channel::Channel;
    bool Open() override
    {
        Descriptors = Memory(Owner, 32 * sizeof(DESC));
        return static_cast<bool>(Descriptors);
    }

private:
    Memory Descriptors;
};

class Adapter {
public:
    explicit Adapter(NDIS_HANDLE MiniportHandle) : Handle(MiniportHandle)
    {
        FrameGateInitialize(&Gate);
        NdisZeroMemory(&Oids, sizeof(Oids));
        const UCHAR Address[] = { 2, 0x52, 0x41, 0x49, 0, 1 };
        NdisMoveMemory(Oids.Address, Address, sizeof(Address));
    }

    ~Adapter()
    {
        if (Bar != nullptr) {
            BoardStop(Bar);
        }
        Close(Send);
        Close(Receive);
    }

    NDIS_STATUS Initialize(PNDIS_MINIPORT_INIT_PARAMETERS Init)
    {
        NDIS_STATUS Status =
            FrameRegistrationAttributes(Handle, this, NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE, 0);
        if (Status != NDIS_STATUS_SUCCESS) {
            return Status;
        }
        BOARD Board;
        if (!BoardFind(Init->AllocatedResources, &Board)) {
            return NDIS_STATUS_RESOURCES;
        }
        Status = Bar.Map(Handle, Board.Registers);
        if (Status != NDIS_STATUS_SUCCESS) {
            return Status;
        }
        if (!BoardReset(Bar)) {
            return NDIS_STATUS_FAILURE;
        }
        Status = FrameGeneralAttributes(Handle, Oids.Address, nullptr);
        if (Status != NDIS_STATUS_SUCCESS) {
            return Status;
        }
        Filter = Memory(Handle, 256);
        if (!Filter) {
            return NDIS_STATUS_RESOURCES;
        }
#ifdef SEED_ASSIGN_OVER
        // A board with many addresses filters by a larger table.
        if (BoardRead(Bar, SPEED) >= 1000) {
            Filter = Memory(Handle, 1024);
            if (!Filter) {
                return NDIS_STATUS_RESOURCES;
            }
        }
#endif
        if (!Make<ReceiveChannel>(Receive) || !Make<SendChannel>(Send)) {
            return NDIS_STATUS_RESOURCES;
        }
        return NDIS_STATUS_SUCCESS;
    }

    static NDIS_STATUS Create(NDIS_HANDLE Handle, PNDIS_MINIPORT_INIT_PARAMETERS Init)
    {
        Memory Room(Handle, sizeof(Adapter));
        if (!Room) {
            return NDIS_STATUS_RESOURCES;
        }
        Adapter *Self = new (Room.As<void>()) Adapter(Handle);
        NDIS_STATUS Status = Self->Initialize(Init);
#ifdef SEED_RELEASED_EARLY
        Room.Release();
        if (Status != NDIS_STATUS_SUCCESS) {
            Self->~Adapter();
            return Status;
        }
#else
        if (Status != NDIS_STATUS_SUCCESS) {
            Self->~Adapter();
            return Status;
        }
        Room.Release();
#endif
        return NDIS_STATUS_SUCCESS;
    }

    static void Destroy(Adapter *Self)
    {
        Self->Ending = true;
        Self->~Adapter();
        NdisFreeMemory(Self, 0, 0);
    }

    NDIS_HANDLE Handle;
    FRAME_GATE Gate;
    FRAME_OIDS Oids;
    Registers Bar;
    bool Ending = false;

private:
    template <typename T> bool Make(Channel *&Slot)
    {
        Memory Room(Handle, sizeof(T));
        if (!Room) {
            return false;
        }
        Slot = new (Room.Release()) T(Handle);
        return Slot->Open();
    }

    static void Close(Channel *Slot)
    {
        if (Slot != nullptr) {
            Slot->~Channel();
            NdisFreeMemory(Slot, 0, 0);
        }
    }

    Memory Filter;
    Channel *Receive = nullptr;
    Channel *Send = nullptr;
};

#ifdef SEED_COPIED_OWNER
// By value: what it is given is a second owner.
ULONG Capacity(Memory Table)
{
    return Table ? 256 : 0;
}
#endif

Adapter *From(NDIS_HANDLE Context)
{
    return static_cast<Adapter *>(Context);
}

NDIS_STATUS OnInitialize(NDIS_HANDLE Handle, NDIS_HANDLE, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
#ifdef SEED_COPIED_OWNER
    Memory Probe(Handle, 256);
    if (Capacity(Probe) == 0) {
        return NDIS_STATUS_RESOURCES;
    }
#endif
    return Adapter::Create(Handle, Init);
}

VOID OnHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION)
{
    Adapter::Destroy(From(Context));
}

NDIS_STATUS OnPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS)
{
    FrameGateClose(&From(Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

NDIS_STATUS OnRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS)
{
    FrameGateOpen(&From(Context)->Gate);
    return NDIS_STATUS_SUCCESS;
}

VOID OnSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER, ULONG Flags)
{
    Adapter *Self = From(Context);

    if (!FrameGateEnter(&Self->Gate)) {
        FrameCompleteSends(Self->Handle, Lists, NDIS_STATUS_PAUSED, Flags);
        return;
    }
    FrameCompleteSends(Self->Handle, Lists, NDIS_STATUS_SUCCESS, Flags);
    FrameGateLeave(&Self->Gate);
}

NDIS_STATUS OnOid(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return FrameOid(&From(Context)->Oids, Request);
}

VOID OnShutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION)
{
    if (!From(Context)->Ending) {
        BoardStop(From(Context)->Bar);
    }
}

VOID OnUnload(PDRIVER_OBJECT)
{
    NdisMDeregisterMiniportDriver(DriverHandle);
}

} // namespace

FRAME_SURPRISE(OnPnp, Adapter, Gate, Oids)

extern "C" NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars;

    FrameCharacteristics(&Chars, 30);
    FrameQuietHandlers(&Chars);
    Chars.DevicePnPEventNotifyHandler = OnPnp;
    Chars.InitializeHandlerEx = OnInitialize;
    Chars.HaltHandlerEx = OnHalt;
    Chars.UnloadHandler = OnUnload;
    Chars.PauseHandler = OnPause;
    Chars.RestartHandler = OnRestart;
    Chars.OidRequestHandler = OnOid;
    Chars.SendNetBufferListsHandler = OnSend;
    Chars.ShutdownHandlerEx = OnShutdown;
    return NdisMRegisterMiniportDriver(Driver, Path, nullptr, &Chars, &DriverHandle);
}
