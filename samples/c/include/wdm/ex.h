/* Executive: pool, lookaside lists, resources, rundown, callbacks, ExTimers, interlocked lists. */
#pragma once
#include "ke.h"

/* What the filter of an __except says. */
#define EXCEPTION_EXECUTE_HANDLER 1
#define EXCEPTION_CONTINUE_SEARCH 0

typedef enum _POOL_TYPE {
    NonPagedPool = 0,
    PagedPool = 1,
    NonPagedPoolCacheAligned = 4,
    PagedPoolCacheAligned = 5,
    NonPagedPoolNx = 512,
    NonPagedPoolNxCacheAligned = 516
} POOL_TYPE;

typedef enum _EX_POOL_PRIORITY {
    LowPoolPriority = 0,
    LowPoolPrioritySpecialPoolOverrun = 8,
    LowPoolPrioritySpecialPoolUnderrun = 9,
    NormalPoolPriority = 16,
    NormalPoolPrioritySpecialPoolOverrun = 24,
    NormalPoolPrioritySpecialPoolUnderrun = 25,
    HighPoolPriority = 32,
    HighPoolPrioritySpecialPoolOverrun = 40,
    HighPoolPrioritySpecialPoolUnderrun = 41
} EX_POOL_PRIORITY;

typedef ULONG64 POOL_FLAGS;
#define POOL_FLAG_USE_QUOTA 0x0000000000000001ULL
#define POOL_FLAG_UNINITIALIZED 0x0000000000000002ULL
#define POOL_FLAG_CACHE_ALIGNED 0x0000000000000008ULL
#define POOL_FLAG_RAISE_ON_FAILURE 0x0000000000000020ULL
#define POOL_FLAG_NON_PAGED 0x0000000000000040ULL
#define POOL_FLAG_NON_PAGED_EXECUTE 0x0000000000000080ULL
#define POOL_FLAG_PAGED 0x0000000000000100ULL

NTKERNELAPI PVOID ExAllocatePool(POOL_TYPE Type, SIZE_T Bytes);
NTKERNELAPI PVOID ExAllocatePoolWithTag(POOL_TYPE Type, SIZE_T Bytes, ULONG Tag);
NTKERNELAPI PVOID ExAllocatePoolWithTagPriority(POOL_TYPE Type, SIZE_T Bytes, ULONG Tag, EX_POOL_PRIORITY Priority);
NTKERNELAPI PVOID ExAllocatePoolWithQuotaTag(POOL_TYPE Type, SIZE_T Bytes, ULONG Tag);
NTKERNELAPI PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T Bytes, ULONG Tag);
NTKERNELAPI PVOID ExAllocatePool3(POOL_FLAGS Flags, SIZE_T Bytes, ULONG Tag, PVOID ExtendedParameters, ULONG Count);
NTKERNELAPI VOID ExFreePool(PVOID Block);
NTKERNELAPI VOID ExFreePoolWithTag(PVOID Block, ULONG Tag);
NTKERNELAPI VOID ExFreePool2(PVOID Block, ULONG Tag, PVOID ExtendedParameters, ULONG Count);

/* Lookaside lists: caller storage, 16-byte aligned. Allocate and free are inline over the S-list. */
typedef PVOID ALLOCATE_FUNCTION(POOL_TYPE Type, SIZE_T Bytes, ULONG Tag);
typedef VOID FREE_FUNCTION(PVOID Block);
typedef ALLOCATE_FUNCTION *PALLOCATE_FUNCTION;
typedef FREE_FUNCTION *PFREE_FUNCTION;
struct _LOOKASIDE_LIST_EX;
typedef PVOID ALLOCATE_FUNCTION_EX(POOL_TYPE Type, SIZE_T Bytes, ULONG Tag, struct _LOOKASIDE_LIST_EX *List);
typedef VOID FREE_FUNCTION_EX(PVOID Block, struct _LOOKASIDE_LIST_EX *List);
typedef ALLOCATE_FUNCTION_EX *PALLOCATE_FUNCTION_EX;
typedef FREE_FUNCTION_EX *PFREE_FUNCTION_EX;

#define HALTEX_LOOKASIDE_MEMBERS                                                                                       \
    SLIST_HEADER ListHead;                                                                                             \
    USHORT Depth;                                                                                                      \
    USHORT MaximumDepth;                                                                                               \
    ULONG TotalAllocates;                                                                                              \
    union { ULONG AllocateMisses; ULONG AllocateHits; };                                                               \
    ULONG TotalFrees;                                                                                                  \
    union { ULONG FreeMisses; ULONG FreeHits; };                                                                       \
    POOL_TYPE Type;                                                                                                    \
    ULONG Tag;                                                                                                         \
    ULONG Size;                                                                                                        \
    union { PALLOCATE_FUNCTION_EX AllocateEx; PALLOCATE_FUNCTION Allocate; };                                          \
    union { PFREE_FUNCTION_EX FreeEx; PFREE_FUNCTION Free; };                                                          \
    LIST_ENTRY ListEntry;                                                                                              \
    ULONG LastTotalAllocates;                                                                                          \
    union { ULONG LastAllocateMisses; ULONG LastAllocateHits; };                                                       \
    ULONG Future[2]

/* One cache line pair of its own. */
typedef struct DECLSPEC_ALIGN(64) _GENERAL_LOOKASIDE {
    HALTEX_LOOKASIDE_MEMBERS;
} GENERAL_LOOKASIDE, *PGENERAL_LOOKASIDE;

typedef struct _GENERAL_LOOKASIDE_POOL {
    HALTEX_LOOKASIDE_MEMBERS;
} GENERAL_LOOKASIDE_POOL;

typedef struct _NPAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
} NPAGED_LOOKASIDE_LIST, *PNPAGED_LOOKASIDE_LIST, PAGED_LOOKASIDE_LIST, *PPAGED_LOOKASIDE_LIST;

typedef struct _LOOKASIDE_LIST_EX {
    GENERAL_LOOKASIDE_POOL L;
} LOOKASIDE_LIST_EX, *PLOOKASIDE_LIST_EX;

NTKERNELAPI VOID ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST List, PALLOCATE_FUNCTION Allocate,
                                                 PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag,
                                                 USHORT Depth);
NTKERNELAPI VOID ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST List);
NTKERNELAPI VOID ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST List, PALLOCATE_FUNCTION Allocate,
                                                PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag,
                                                USHORT Depth);
NTKERNELAPI VOID ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST List);
NTKERNELAPI NTSTATUS ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX List, PALLOCATE_FUNCTION_EX Allocate,
                                                 PFREE_FUNCTION_EX Free, POOL_TYPE Type, ULONG Flags, SIZE_T Size,
                                                 ULONG Tag, USHORT Depth);
NTKERNELAPI VOID ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX List);

NTKERNELAPI PSLIST_ENTRY ExpInterlockedPopEntrySList(PSLIST_HEADER Head);
NTKERNELAPI PSLIST_ENTRY ExpInterlockedPushEntrySList(PSLIST_HEADER Head, PSLIST_ENTRY Entry);
NTKERNELAPI PSLIST_ENTRY ExpInterlockedFlushSList(PSLIST_HEADER Head);
NTKERNELAPI USHORT ExQueryDepthSList(PSLIST_HEADER Head);
NTKERNELAPI VOID InitializeSListHead(PSLIST_HEADER Head);
#define InterlockedPopEntrySList(head) ExpInterlockedPopEntrySList(head)
#define InterlockedPushEntrySList(head, entry) ExpInterlockedPushEntrySList((head), (entry))
#define InterlockedFlushSList(head) ExpInterlockedFlushSList(head)

FORCEINLINE PVOID ExAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST List)
{
    PVOID Entry;

    List->L.TotalAllocates += 1;
    Entry = InterlockedPopEntrySList(&List->L.ListHead);
    if (Entry == NULL) {
        List->L.AllocateMisses += 1;
        Entry = List->L.Allocate(List->L.Type, List->L.Size, List->L.Tag);
    }
    return Entry;
}

FORCEINLINE VOID ExFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST List, PVOID Entry)
{
    List->L.TotalFrees += 1;
    if (ExQueryDepthSList(&List->L.ListHead) >= List->L.Depth) {
        List->L.FreeMisses += 1;
        List->L.Free(Entry);
    } else {
        InterlockedPushEntrySList(&List->L.ListHead, (PSLIST_ENTRY)Entry);
    }
}

FORCEINLINE PVOID ExAllocateFromLookasideListEx(PLOOKASIDE_LIST_EX List)
{
    PVOID Entry;

    List->L.TotalAllocates += 1;
    Entry = InterlockedPopEntrySList(&List->L.ListHead);
    if (Entry == NULL) {
        List->L.AllocateMisses += 1;
        Entry = List->L.AllocateEx(List->L.Type, List->L.Size, List->L.Tag, List);
    }
    return Entry;
}

FORCEINLINE VOID ExFreeToLookasideListEx(PLOOKASIDE_LIST_EX List, PVOID Entry)
{
    List->L.TotalFrees += 1;
    if (ExQueryDepthSList(&List->L.ListHead) >= List->L.Depth) {
        List->L.FreeMisses += 1;
        List->L.FreeEx(Entry, List);
    } else {
        InterlockedPushEntrySList(&List->L.ListHead, (PSLIST_ENTRY)Entry);
    }
}

NTKERNELAPI PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY Head, PLIST_ENTRY Entry, PKSPIN_LOCK Lock);
NTKERNELAPI PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY Head, PLIST_ENTRY Entry, PKSPIN_LOCK Lock);
NTKERNELAPI PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY Head, PKSPIN_LOCK Lock);

/* Reader-writer resources and fast mutexes */
typedef struct _OWNER_ENTRY {
    ULONG_PTR OwnerThread;
    ULONG TableSize;
} OWNER_ENTRY, *POWNER_ENTRY;

typedef struct _ERESOURCE {
    LIST_ENTRY SystemResourcesList;
    POWNER_ENTRY OwnerTable;
    SHORT ActiveCount;
    USHORT Flag;
    PVOID SharedWaiters;
    PVOID ExclusiveWaiters;
    OWNER_ENTRY OwnerEntry;
    ULONG ActiveEntries;
    ULONG ContentionCount;
    ULONG NumberOfSharedWaiters;
    ULONG NumberOfExclusiveWaiters;
    PVOID Reserved2;
    PVOID Address;
    KSPIN_LOCK SpinLock;
} ERESOURCE, *PERESOURCE;

typedef struct _FAST_MUTEX {
    LONG Count;
    PVOID Owner;
    ULONG Contention;
    KEVENT Event;
    ULONG OldIrql;
} FAST_MUTEX, *PFAST_MUTEX;

FORCEINLINE VOID ExInitializeFastMutex(PFAST_MUTEX Mutex)
{
    Mutex->Count = 1;
    Mutex->Owner = NULL;
    Mutex->Contention = 0;
    KeInitializeEvent(&Mutex->Event, SynchronizationEvent, FALSE);
}

NTKERNELAPI NTSTATUS ExInitializeResourceLite(PERESOURCE Resource);
NTKERNELAPI NTSTATUS ExDeleteResourceLite(PERESOURCE Resource);
NTKERNELAPI BOOLEAN ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait);
NTKERNELAPI BOOLEAN ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait);
NTKERNELAPI VOID ExReleaseResourceLite(PERESOURCE Resource);
NTKERNELAPI VOID ExAcquireFastMutex(PFAST_MUTEX Mutex);
NTKERNELAPI BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX Mutex);
NTKERNELAPI VOID ExReleaseFastMutex(PFAST_MUTEX Mutex);

typedef volatile LONG EX_SPIN_LOCK, *PEX_SPIN_LOCK;
NTKERNELAPI KIRQL ExAcquireSpinLockExclusive(PEX_SPIN_LOCK Lock);
NTKERNELAPI VOID ExReleaseSpinLockExclusive(PEX_SPIN_LOCK Lock, KIRQL OldIrql);
NTKERNELAPI KIRQL ExAcquireSpinLockShared(PEX_SPIN_LOCK Lock);
NTKERNELAPI VOID ExReleaseSpinLockShared(PEX_SPIN_LOCK Lock, KIRQL OldIrql);

/* Rundown protection: count users, then wait for the last. */
typedef struct _EX_RUNDOWN_REF {
    union { ULONG_PTR Count; PVOID Ptr; };
} EX_RUNDOWN_REF, *PEX_RUNDOWN_REF;

NTKERNELAPI VOID ExInitializeRundownProtection(PEX_RUNDOWN_REF Ref);
NTKERNELAPI BOOLEAN ExAcquireRundownProtection(PEX_RUNDOWN_REF Ref);
NTKERNELAPI VOID ExReleaseRundownProtection(PEX_RUNDOWN_REF Ref);
NTKERNELAPI VOID ExWaitForRundownProtectionRelease(PEX_RUNDOWN_REF Ref);

/* ExTimers */
typedef VOID EXT_CALLBACK(PEX_TIMER Timer, PVOID Context);
typedef EXT_CALLBACK *PEXT_CALLBACK;
typedef VOID EXT_DELETE_CALLBACK(PVOID Context);
typedef EXT_DELETE_CALLBACK *PEXT_DELETE_CALLBACK;

typedef struct _EXT_SET_PARAMETERS_V0 {
    ULONG Version;
    ULONG Reserved;
    LONGLONG NoWakeTolerance;
} EXT_SET_PARAMETERS, *PEXT_SET_PARAMETERS;

typedef struct _EXT_DELETE_PARAMETERS {
    ULONG Version;
    ULONG Reserved;
    PEXT_DELETE_CALLBACK DeleteCallback;
    PVOID DeleteContext;
} EXT_DELETE_PARAMETERS, *PEXT_DELETE_PARAMETERS;

typedef PVOID PEXT_CANCEL_PARAMETERS;
#define EX_TIMER_HIGH_RESOLUTION 4
#define EX_TIMER_NO_WAKE 8

NTKERNELAPI PEX_TIMER ExAllocateTimer(PEXT_CALLBACK Callback, PVOID Context, ULONG Attributes);
NTKERNELAPI BOOLEAN ExSetTimer(PEX_TIMER Timer, LONGLONG DueTime, LONGLONG Period, PEXT_SET_PARAMETERS Parameters);
NTKERNELAPI BOOLEAN ExCancelTimer(PEX_TIMER Timer, PEXT_CANCEL_PARAMETERS Parameters);
NTKERNELAPI BOOLEAN ExDeleteTimer(PEX_TIMER Timer, BOOLEAN Cancel, BOOLEAN Wait, PEXT_DELETE_PARAMETERS Parameters);

/* Executive work items (old) and callback objects */
typedef enum _WORK_QUEUE_TYPE {
    CriticalWorkQueue, DelayedWorkQueue, HyperCriticalWorkQueue, NormalWorkQueue
} WORK_QUEUE_TYPE;

typedef VOID WORKER_THREAD_ROUTINE(PVOID Parameter);
typedef WORKER_THREAD_ROUTINE *PWORKER_THREAD_ROUTINE;

typedef struct _WORK_QUEUE_ITEM {
    LIST_ENTRY List;
    PWORKER_THREAD_ROUTINE WorkerRoutine;
    PVOID Parameter;
} WORK_QUEUE_ITEM, *PWORK_QUEUE_ITEM;

#define ExInitializeWorkItem(item, routine, context)                                                                   \
    ((item)->WorkerRoutine = (routine), (item)->Parameter = (context), (item)->List.Flink = NULL)
NTKERNELAPI VOID ExQueueWorkItem(PWORK_QUEUE_ITEM Item, WORK_QUEUE_TYPE Queue);

struct _OBJECT_ATTRIBUTES;
typedef VOID CALLBACK_FUNCTION(PVOID Context, PVOID Argument1, PVOID Argument2);
typedef CALLBACK_FUNCTION *PCALLBACK_FUNCTION;
NTKERNELAPI NTSTATUS ExCreateCallback(PCALLBACK_OBJECT *Object, struct _OBJECT_ATTRIBUTES *Attributes, BOOLEAN Create,
                                      BOOLEAN AllowMultiple);
NTKERNELAPI PVOID ExRegisterCallback(PCALLBACK_OBJECT Object, PCALLBACK_FUNCTION Function, PVOID Context);
NTKERNELAPI VOID ExUnregisterCallback(PVOID Registration);
NTKERNELAPI VOID ExNotifyCallback(PVOID Object, PVOID Argument1, PVOID Argument2);
NTKERNELAPI NTSTATUS ExUuidCreate(UUID *Uuid);
