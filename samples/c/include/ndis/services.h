/* Services: memory, locks, events, timers, work items, configuration, files, logs, devices, interfaces, IM. */
#pragma once
#include "nbl.h"
#include "oid.h"

/* Memory */
#define NDIS_MEMORY_CONTIGUOUS 0x00000001
#define NDIS_MEMORY_NONCACHED 0x00000002
PVOID NdisAllocateMemoryWithTagPriority(NDIS_HANDLE Handle, UINT Length, ULONG Tag, EX_POOL_PRIORITY Priority);
VOID NdisFreeMemory(PVOID Address, UINT Length, UINT Flags);
VOID NdisFreeMemoryWithTagPriority(NDIS_HANDLE Handle, PVOID Address, ULONG Tag);
#define NdisMoveMemory(to, from, length) RtlCopyMemory((to), (from), (length))
#define NdisZeroMemory(at, length) RtlZeroMemory((at), (length))
#define NdisFillMemory(at, length, byte) RtlFillMemory((at), (length), (byte))
#define NdisEqualMemory(a, b, length) RtlEqualMemory((a), (b), (length))

#define NdisInitializeNPagedLookasideList(list, allocate, free, flags, size, tag, depth)                               \
    ExInitializeNPagedLookasideList((list), (allocate), (free), (flags), (size), (tag), (depth))
#define NdisDeleteNPagedLookasideList(list) ExDeleteNPagedLookasideList(list)
#define NdisAllocateFromNPagedLookasideList(list) ExAllocateFromNPagedLookasideList(list)
#define NdisFreeToNPagedLookasideList(list, entry) ExFreeToNPagedLookasideList((list), (entry))

/* Locks */
typedef struct _NDIS_SPIN_LOCK {
    KSPIN_LOCK SpinLock;
    KIRQL OldIrql;
} NDIS_SPIN_LOCK, *PNDIS_SPIN_LOCK;

FORCEINLINE VOID NdisAllocateSpinLock(PNDIS_SPIN_LOCK Lock)
{
    KeInitializeSpinLock(&Lock->SpinLock);
}

FORCEINLINE VOID NdisFreeSpinLock(PNDIS_SPIN_LOCK Lock)
{
    UNREFERENCED_PARAMETER(Lock);
}

#define NdisAcquireSpinLock(lock) KeAcquireSpinLock(&(lock)->SpinLock, &(lock)->OldIrql)
#define NdisReleaseSpinLock(lock) KeReleaseSpinLock(&(lock)->SpinLock, (lock)->OldIrql)
#define NdisDprAcquireSpinLock(lock) KeAcquireSpinLockAtDpcLevel(&(lock)->SpinLock)
#define NdisDprReleaseSpinLock(lock) KeReleaseSpinLockFromDpcLevel(&(lock)->SpinLock)
#define NDIS_RAISE_IRQL_TO_DISPATCH(old) KeRaiseIrql(DISPATCH_LEVEL, (old))
#define NDIS_LOWER_IRQL(old, current) KeLowerIrql(old)
#define NDIS_CURRENT_IRQL() KeGetCurrentIrql()

typedef struct _NDIS_RW_LOCK_EX NDIS_RW_LOCK_EX, *PNDIS_RW_LOCK_EX;
typedef struct _LOCK_STATE_EX {
    KIRQL OldIrql;
    UCHAR LockState;
    UCHAR Flags;
} LOCK_STATE_EX, *PLOCK_STATE_EX;
#define NDIS_RWL_AT_DISPATCH_LEVEL 1
PNDIS_RW_LOCK_EX NdisAllocateRWLock(NDIS_HANDLE Handle);
VOID NdisFreeRWLock(PNDIS_RW_LOCK_EX Lock);
VOID NdisAcquireRWLockRead(PNDIS_RW_LOCK_EX Lock, PLOCK_STATE_EX State, UCHAR Flags);
VOID NdisAcquireRWLockWrite(PNDIS_RW_LOCK_EX Lock, PLOCK_STATE_EX State, UCHAR Flags);
VOID NdisReleaseRWLock(PNDIS_RW_LOCK_EX Lock, PLOCK_STATE_EX State);

#define NdisInterlockedIncrement(p) InterlockedIncrement(p)
#define NdisInterlockedDecrement(p) InterlockedDecrement(p)
#define NdisInitializeListHead(head) InitializeListHead(head)
#define NdisInterlockedInsertHeadList(head, entry, lock) ExInterlockedInsertHeadList((head), (entry), &(lock)->SpinLock)
#define NdisInterlockedInsertTailList(head, entry, lock) ExInterlockedInsertTailList((head), (entry), &(lock)->SpinLock)
#define NdisInterlockedRemoveHeadList(head, lock) ExInterlockedRemoveHeadList((head), &(lock)->SpinLock)

/* Events and time. NdisWaitEvent: 0 ms waits for ever. */
typedef struct _NDIS_EVENT {
    KEVENT Event;
} NDIS_EVENT, *PNDIS_EVENT;
VOID NdisInitializeEvent(PNDIS_EVENT Event);
VOID NdisSetEvent(PNDIS_EVENT Event);
VOID NdisResetEvent(PNDIS_EVENT Event);
BOOLEAN NdisWaitEvent(PNDIS_EVENT Event, UINT Milliseconds);
VOID NdisMSleep(ULONG Microseconds);
#define NdisStallExecution(microseconds) KeStallExecutionProcessor(microseconds)
VOID NdisGetSystemUpTimeEx(PLARGE_INTEGER Milliseconds);
#define NdisGetCurrentSystemTime(time) KeQuerySystemTime(time)
UINT NdisGetVersion(VOID);

/* Timers */
typedef VOID NDIS_TIMER_FUNCTION(PVOID Reserved1, PVOID Context, PVOID Reserved2, PVOID Reserved3); /* DISPATCH */
typedef NDIS_TIMER_FUNCTION *PNDIS_TIMER_FUNCTION;

typedef struct _NDIS_TIMER_CHARACTERISTICS {
    NDIS_OBJECT_HEADER Header;
    ULONG AllocationTag;
    PNDIS_TIMER_FUNCTION TimerFunction;
    PVOID FunctionContext;
} NDIS_TIMER_CHARACTERISTICS, *PNDIS_TIMER_CHARACTERISTICS;
#define NDIS_TIMER_CHARACTERISTICS_REVISION_1 1
#define NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1                                                                   \
    RTL_SIZEOF_THROUGH_FIELD(NDIS_TIMER_CHARACTERISTICS, FunctionContext)
NDIS_STATUS NdisAllocateTimerObject(NDIS_HANDLE Handle, PNDIS_TIMER_CHARACTERISTICS Characteristics,
                                    PNDIS_HANDLE Timer);
VOID NdisFreeTimerObject(NDIS_HANDLE Timer);
BOOLEAN NdisSetTimerObject(NDIS_HANDLE Timer, LARGE_INTEGER DueTime, LONG PeriodMs, PVOID Context);
BOOLEAN NdisSetCoalescableTimerObject(NDIS_HANDLE Timer, LARGE_INTEGER DueTime, LONG PeriodMs, PVOID Context,
                                      ULONG Tolerance);
BOOLEAN NdisCancelTimerObject(NDIS_HANDLE Timer);

/* Work items and generic objects */
typedef VOID NDIS_IO_WORKITEM_FUNCTION(PVOID Context, NDIS_HANDLE WorkItem); /* PASSIVE */
NDIS_HANDLE NdisAllocateIoWorkItem(NDIS_HANDLE Object);
VOID NdisFreeIoWorkItem(NDIS_HANDLE WorkItem);
VOID NdisQueueIoWorkItem(NDIS_HANDLE WorkItem, NDIS_IO_WORKITEM_FUNCTION *Routine, PVOID Context);

typedef struct _NDIS_GENERIC_OBJECT {
    NDIS_OBJECT_HEADER Header;
    PVOID Caller;
    PVOID CallersCaller;
    PDRIVER_OBJECT DriverObject;
} NDIS_GENERIC_OBJECT, *PNDIS_GENERIC_OBJECT;
PNDIS_GENERIC_OBJECT NdisAllocateGenericObject(PDRIVER_OBJECT Driver, ULONG Tag, USHORT Size);
VOID NdisFreeGenericObject(PNDIS_GENERIC_OBJECT Object);

/* Configuration */
typedef enum _NDIS_PARAMETER_TYPE {
    NdisParameterInteger, NdisParameterHexInteger, NdisParameterString, NdisParameterMultiString, NdisParameterBinary
} NDIS_PARAMETER_TYPE;

typedef struct _NDIS_CONFIGURATION_PARAMETER {
    NDIS_PARAMETER_TYPE ParameterType;
    union {
        ULONG IntegerData;
        NDIS_STRING StringData;
        struct { USHORT Length; PVOID Buffer; } BinaryData;
    } ParameterData;
} NDIS_CONFIGURATION_PARAMETER, *PNDIS_CONFIGURATION_PARAMETER;

typedef struct _NDIS_CONFIGURATION_OBJECT {
    NDIS_OBJECT_HEADER Header;
    NDIS_HANDLE NdisHandle;
    ULONG Flags;
} NDIS_CONFIGURATION_OBJECT, *PNDIS_CONFIGURATION_OBJECT;
#define NDIS_CONFIGURATION_OBJECT_REVISION_1 1
#define NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1 RTL_SIZEOF_THROUGH_FIELD(NDIS_CONFIGURATION_OBJECT, Flags)

NDIS_STATUS NdisOpenConfigurationEx(PNDIS_CONFIGURATION_OBJECT Object, PNDIS_HANDLE Configuration);
VOID NdisCloseConfiguration(NDIS_HANDLE Configuration);
VOID NdisOpenConfigurationKeyByName(PNDIS_STATUS Status, NDIS_HANDLE Configuration, PNDIS_STRING Name,
                                    PNDIS_HANDLE Subkey);
VOID NdisOpenConfigurationKeyByIndex(PNDIS_STATUS Status, NDIS_HANDLE Configuration, ULONG Index, PNDIS_STRING Name,
                                     PNDIS_HANDLE Subkey);
VOID NdisReadConfiguration(PNDIS_STATUS Status, PNDIS_CONFIGURATION_PARAMETER *Value, NDIS_HANDLE Configuration,
                           PNDIS_STRING Keyword, NDIS_PARAMETER_TYPE Type);
VOID NdisWriteConfiguration(PNDIS_STATUS Status, NDIS_HANDLE Configuration, PNDIS_STRING Keyword,
                            PNDIS_CONFIGURATION_PARAMETER Value);
VOID NdisReadNetworkAddress(PNDIS_STATUS Status, PVOID *Address, PUINT Length, NDIS_HANDLE Configuration);
NDIS_STATUS NdisMQueryAdapterInstanceName(PNDIS_STRING Name, NDIS_HANDLE Adapter);

/* Strings, files, logs */
VOID NdisInitializeString(PNDIS_STRING To, PUCHAR From);
#define NdisFreeString(string) NdisFreeMemory((string).Buffer, (string).MaximumLength, 0)
#define NdisInitUnicodeString(to, from) RtlInitUnicodeString((to), (from))
VOID NdisOpenFile(PNDIS_STATUS Status, PNDIS_HANDLE File, PUINT Length, PNDIS_STRING Name,
                  NDIS_PHYSICAL_ADDRESS Highest);
VOID NdisMapFile(PNDIS_STATUS Status, PVOID *Buffer, NDIS_HANDLE File);
VOID NdisUnmapFile(NDIS_HANDLE File);
VOID NdisCloseFile(NDIS_HANDLE File);
NDIS_STATUS NdisMCreateLog(NDIS_HANDLE Adapter, UINT Size, PNDIS_HANDLE Log);
VOID NdisMCloseLog(NDIS_HANDLE Log);
NDIS_STATUS NdisMWriteLogData(NDIS_HANDLE Log, PVOID Buffer, UINT Size);
VOID NdisMFlushLog(NDIS_HANDLE Log);
VOID NdisWriteErrorLogEntry(NDIS_HANDLE Adapter, NDIS_ERROR_CODE Code, ULONG Count, ...);

/* Device objects */
typedef struct _NDIS_DEVICE_OBJECT_ATTRIBUTES {
    NDIS_OBJECT_HEADER Header;
    PNDIS_STRING DeviceName;
    PNDIS_STRING SymbolicName;
    PDRIVER_DISPATCH *MajorFunctions;
    ULONG ExtensionSize;
    PCUNICODE_STRING DefaultSDDLString;
    LPCGUID DeviceClassGuid;
} NDIS_DEVICE_OBJECT_ATTRIBUTES, *PNDIS_DEVICE_OBJECT_ATTRIBUTES;
#define NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1 1
#define NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1                                                                \
    RTL_SIZEOF_THROUGH_FIELD(NDIS_DEVICE_OBJECT_ATTRIBUTES, DeviceClassGuid)
NDIS_STATUS NdisRegisterDeviceEx(NDIS_HANDLE Driver, PNDIS_DEVICE_OBJECT_ATTRIBUTES Attributes, PDEVICE_OBJECT *Device,
                                 PNDIS_HANDLE Handle);
VOID NdisDeregisterDeviceEx(NDIS_HANDLE Handle);
PVOID NdisGetDeviceReservedExtension(PDEVICE_OBJECT Device);

/* Processors */
CCHAR NdisSystemProcessorCount(VOID);
ULONG NdisGroupActiveProcessorCount(USHORT Group);
KAFFINITY NdisGroupActiveProcessorMask(USHORT Group);

/* Network interfaces */
typedef struct _NET_IF_INFORMATION {
    NDIS_OBJECT_HEADER Header;
    ULONG Flags;
    struct { ULONG BusNumber; ULONG SlotNumber; ULONG FunctionNumber; } PhysicalLocation;
    ULONG WanTunnelType;
    ULONG PortNumber;
    NET_IF_ACCESS_TYPE AccessType;
    NET_IF_DIRECTION_TYPE DirectionType;
    NET_IF_CONNECTION_TYPE ConnectionType;
    BOOLEAN ifConnectorPresent;
    USHORT PhysAddressLength;
    USHORT PhysAddressOffset;
    USHORT PermanentPhysAddressOffset;
    USHORT FriendlyNameLength;
    USHORT FriendlyNameOffset;
    GUID InterfaceGuid;
    GUID NetworkGuid;
    ULONG SupportedStatistics;
    NDIS_MEDIUM MediaType;
    NDIS_PHYSICAL_MEDIUM PhysicalMediumType;
} NET_IF_INFORMATION, *PNET_IF_INFORMATION;

typedef NDIS_STATUS IF_QUERY_OBJECT(NDIS_HANDLE InterfaceContext, NDIS_OID Object, PULONG Length, PVOID Buffer);
typedef NDIS_STATUS IF_SET_OBJECT(NDIS_HANDLE InterfaceContext, NDIS_OID Object, ULONG Length, PVOID Buffer);

typedef struct _NDIS_IF_PROVIDER_CHARACTERISTICS {
    NDIS_OBJECT_HEADER Header;
    IF_QUERY_OBJECT *QueryObjectHandler;
    IF_SET_OBJECT *SetObjectHandler;
    PVOID Reserved1;
    PVOID Reserved2;
} NDIS_IF_PROVIDER_CHARACTERISTICS, *PNDIS_IF_PROVIDER_CHARACTERISTICS;

NDIS_STATUS NdisIfRegisterProvider(PNDIS_IF_PROVIDER_CHARACTERISTICS Characteristics, NDIS_HANDLE Context,
                                   PNDIS_HANDLE Provider);
VOID NdisIfDeregisterProvider(NDIS_HANDLE Provider);
NDIS_STATUS NdisIfRegisterInterface(NDIS_HANDLE Provider, NET_LUID NetLuid, NDIS_HANDLE Context,
                                    PNET_IF_INFORMATION Information, PNET_IFINDEX Index);
VOID NdisIfDeregisterInterface(NET_IFINDEX Index);
NDIS_STATUS NdisIfAllocateNetLuidIndex(NET_IFTYPE Type, PUINT32 Index);
NDIS_STATUS NdisIfFreeNetLuidIndex(NET_IFTYPE Type, UINT32 Index);

/* Intermediate drivers */
NDIS_STATUS NdisIMInitializeDeviceInstanceEx(NDIS_HANDLE Driver, PNDIS_STRING Instance, NDIS_HANDLE DeviceContext);
NDIS_STATUS NdisIMDeInitializeDeviceInstance(NDIS_HANDLE Adapter);
NDIS_STATUS NdisIMCancelInitializeDeviceInstance(NDIS_HANDLE Driver, PNDIS_STRING Instance);
