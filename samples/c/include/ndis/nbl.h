/* NET_BUFFER and NET_BUFFER_LIST, their pools, clones, MDLs, and the calls that work on them. */
#pragma once
#include "types.h"

typedef struct _NET_BUFFER NET_BUFFER, *PNET_BUFFER;
typedef struct _NET_BUFFER_LIST NET_BUFFER_LIST, *PNET_BUFFER_LIST;

typedef struct _NET_BUFFER_DATA {
    PNET_BUFFER Next;
    PMDL CurrentMdl;
    ULONG CurrentMdlOffset;
    union { ULONG DataLength; SIZE_T stDataLength; };
    PMDL MdlChain;
    ULONG DataOffset;
} NET_BUFFER_DATA, *PNET_BUFFER_DATA;

struct DECLSPEC_ALIGN(16) _NET_BUFFER {
    union {
        struct {
            PNET_BUFFER Next;
            PMDL CurrentMdl;
            ULONG CurrentMdlOffset;
            union { ULONG DataLength; SIZE_T stDataLength; };
            PMDL MdlChain;
            ULONG DataOffset;
        };
        SLIST_HEADER Link;
    };
    USHORT ChecksumBias;
    USHORT Reserved;
    NDIS_HANDLE NdisPoolHandle;
    PVOID NdisReserved[2];
    PVOID ProtocolReserved[6];
    PVOID MiniportReserved[4];
    NDIS_PHYSICAL_ADDRESS DataPhysicalAddress;
    union { PVOID SharedMemoryInfo; PSCATTER_GATHER_LIST ScatterGatherList; };
};

typedef enum _NDIS_NET_BUFFER_LIST_INFO {
    TcpIpChecksumNetBufferListInfo, IPsecOffloadV1NetBufferListInfo, TcpLargeSendNetBufferListInfo,
    ClassificationHandleNetBufferListInfo, Ieee8021QNetBufferListInfo, NetBufferListCancelId,
    MediaSpecificInformation, NetBufferListFrameType, NetBufferListHashValue, NetBufferListHashInfo,
    WfpNetBufferListInfo, MaxNetBufferListInfo = 24
} NDIS_NET_BUFFER_LIST_INFO;

typedef struct _NET_BUFFER_LIST_CONTEXT {
    struct _NET_BUFFER_LIST_CONTEXT *Next;
    USHORT Size;
    USHORT Offset;
    DECLSPEC_ALIGN(16) UCHAR ContextData[];
} NET_BUFFER_LIST_CONTEXT, *PNET_BUFFER_LIST_CONTEXT;

struct DECLSPEC_ALIGN(16) _NET_BUFFER_LIST {
    union {
        struct { PNET_BUFFER_LIST Next; PNET_BUFFER FirstNetBuffer; };
        SLIST_HEADER Link;
    };
    PNET_BUFFER_LIST_CONTEXT Context;
    PNET_BUFFER_LIST ParentNetBufferList;
    NDIS_HANDLE NdisPoolHandle;
    DECLSPEC_ALIGN(16) PVOID NdisReserved[2];
    PVOID ProtocolReserved[4];
    PVOID MiniportReserved[2];
    PVOID Scratch;
    NDIS_HANDLE SourceHandle;
    ULONG NblFlags;
    LONG ChildRefCount;
    ULONG Flags;
    union { NDIS_STATUS Status; ULONG NdisReserved2; };
    PVOID NetBufferListInfo[MaxNetBufferListInfo];
};

#define NET_BUFFER_NEXT_NB(nb) ((nb)->Next)
#define NET_BUFFER_FIRST_MDL(nb) ((nb)->MdlChain)
#define NET_BUFFER_DATA_LENGTH(nb) ((nb)->DataLength)
#define NET_BUFFER_DATA_OFFSET(nb) ((nb)->DataOffset)
#define NET_BUFFER_CURRENT_MDL(nb) ((nb)->CurrentMdl)
#define NET_BUFFER_CURRENT_MDL_OFFSET(nb) ((nb)->CurrentMdlOffset)
#define NET_BUFFER_MINIPORT_RESERVED(nb) ((nb)->MiniportReserved)
#define NET_BUFFER_LIST_NEXT_NBL(nbl) ((nbl)->Next)
#define NET_BUFFER_LIST_FIRST_NB(nbl) ((nbl)->FirstNetBuffer)
#define NET_BUFFER_LIST_STATUS(nbl) ((nbl)->Status)
#define NET_BUFFER_LIST_FLAGS(nbl) ((nbl)->Flags)
#define NET_BUFFER_LIST_INFO(nbl, id) ((nbl)->NetBufferListInfo[(id)])
#define NET_BUFFER_LIST_MINIPORT_RESERVED(nbl) ((nbl)->MiniportReserved)
#define NDIS_GET_NET_BUFFER_LIST_CANCEL_ID(nbl) NET_BUFFER_LIST_INFO((nbl), NetBufferListCancelId)
#define NET_BUFFER_LIST_CONTEXT_DATA_START(nbl)                                                                        \
    ((PUCHAR)(nbl)->Context + sizeof(*(nbl)->Context) + (nbl)->Context->Offset)

/* Flags of the data path calls */
#define NDIS_SEND_FLAGS_DISPATCH_LEVEL 0x00000001
#define NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK 0x00000002
#define NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL 0x00000001
#define NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL 0x00000001
#define NDIS_RECEIVE_FLAGS_RESOURCES 0x00000002
#define NDIS_RECEIVE_FLAGS_SINGLE_ETHER_TYPE 0x00000100
#define NDIS_RECEIVE_FLAGS_PERFECT_FILTERED 0x00000400
#define NDIS_RETURN_FLAGS_DISPATCH_LEVEL 0x00000001
#define NDIS_TEST_SEND_AT_DISPATCH_LEVEL(flags) (((flags) & NDIS_SEND_FLAGS_DISPATCH_LEVEL) != 0)
#define NDIS_TEST_RETURN_AT_DISPATCH_LEVEL(flags) (((flags) & NDIS_RETURN_FLAGS_DISPATCH_LEVEL) != 0)
#define NDIS_TEST_RECEIVE_CANNOT_PEND(flags) (((flags) & NDIS_RECEIVE_FLAGS_RESOURCES) != 0)

/* Pools */
#define NDIS_PROTOCOL_ID_DEFAULT 0x00
#define NDIS_PROTOCOL_ID_TCP_IP 0x02

typedef struct _NET_BUFFER_LIST_POOL_PARAMETERS {
    NDIS_OBJECT_HEADER Header;
    UCHAR ProtocolId;
    BOOLEAN fAllocateNetBuffer;
    USHORT ContextSize;
    ULONG PoolTag;
    ULONG DataSize;
} NET_BUFFER_LIST_POOL_PARAMETERS, *PNET_BUFFER_LIST_POOL_PARAMETERS;
#define NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1 1
#define NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1                                                         \
    RTL_SIZEOF_THROUGH_FIELD(NET_BUFFER_LIST_POOL_PARAMETERS, DataSize)

typedef struct _NET_BUFFER_POOL_PARAMETERS {
    NDIS_OBJECT_HEADER Header;
    ULONG PoolTag;
    ULONG DataSize;
} NET_BUFFER_POOL_PARAMETERS, *PNET_BUFFER_POOL_PARAMETERS;
#define NET_BUFFER_POOL_PARAMETERS_REVISION_1 1
#define NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1                                                              \
    RTL_SIZEOF_THROUGH_FIELD(NET_BUFFER_POOL_PARAMETERS, DataSize)

NDIS_HANDLE NdisAllocateNetBufferListPool(NDIS_HANDLE Handle, PNET_BUFFER_LIST_POOL_PARAMETERS Parameters);
VOID NdisFreeNetBufferListPool(NDIS_HANDLE Pool);
NDIS_HANDLE NdisAllocateNetBufferPool(NDIS_HANDLE Handle, PNET_BUFFER_POOL_PARAMETERS Parameters);
VOID NdisFreeNetBufferPool(NDIS_HANDLE Pool);

PNET_BUFFER_LIST NdisAllocateNetBufferList(NDIS_HANDLE Pool, USHORT ContextSize, USHORT ContextBackFill);
PNET_BUFFER_LIST NdisAllocateNetBufferAndNetBufferList(NDIS_HANDLE Pool, USHORT ContextSize, USHORT ContextBackFill,
                                                       PMDL MdlChain, ULONG DataOffset, SIZE_T DataLength);
VOID NdisFreeNetBufferList(PNET_BUFFER_LIST NetBufferList);
PNET_BUFFER NdisAllocateNetBuffer(NDIS_HANDLE Pool, PMDL MdlChain, ULONG DataOffset, SIZE_T DataLength);
PNET_BUFFER NdisAllocateNetBufferMdlAndData(NDIS_HANDLE Pool);
VOID NdisFreeNetBuffer(PNET_BUFFER NetBuffer);
NDIS_STATUS NdisAllocateNetBufferListContext(PNET_BUFFER_LIST NetBufferList, USHORT Size, USHORT BackFill, ULONG Tag);
VOID NdisFreeNetBufferListContext(PNET_BUFFER_LIST NetBufferList, USHORT Size);
NDIS_HANDLE NdisGetPoolFromNetBufferList(PNET_BUFFER_LIST NetBufferList);
NDIS_HANDLE NdisGetPoolFromNetBuffer(PNET_BUFFER NetBuffer);

/* Clones, fragments, reassembly: each is freed by its own call, with the flags or the offset it was made with. */
#define NDIS_CLONE_FLAGS_RESERVED 0x00000001
#define NDIS_CLONE_FLAGS_USE_ORIGINAL_MDLS 0x00000002
PNET_BUFFER_LIST NdisAllocateCloneNetBufferList(PNET_BUFFER_LIST Original, NDIS_HANDLE ListPool, NDIS_HANDLE BufferPool,
                                                ULONG Flags);
VOID NdisFreeCloneNetBufferList(PNET_BUFFER_LIST Clone, ULONG Flags);
PNET_BUFFER_LIST NdisAllocateFragmentNetBufferList(PNET_BUFFER_LIST Original, NDIS_HANDLE ListPool,
                                                   NDIS_HANDLE BufferPool, ULONG StartOffset, ULONG MaximumLength,
                                                   ULONG DataOffsetDelta, ULONG DataBackFill, ULONG Flags);
VOID NdisFreeFragmentNetBufferList(PNET_BUFFER_LIST Fragment, ULONG DataOffsetDelta, ULONG Flags);
PNET_BUFFER_LIST NdisAllocateReassembledNetBufferList(PNET_BUFFER_LIST Fragments, NDIS_HANDLE Pool, ULONG StartOffset,
                                                      ULONG DataOffsetDelta, ULONG DataBackFill, ULONG Flags);
VOID NdisFreeReassembledNetBufferList(PNET_BUFFER_LIST Reassembled, ULONG DataOffsetDelta, ULONG Flags);

/* Data start and contents */
typedef PMDL (*NET_BUFFER_ALLOCATE_MDL_HANDLER)(PULONG BufferSize);
typedef VOID (*NET_BUFFER_FREE_MDL_HANDLER)(PMDL Mdl);
NDIS_STATUS NdisRetreatNetBufferDataStart(PNET_BUFFER NetBuffer, ULONG Delta, ULONG BackFill,
                                          NET_BUFFER_ALLOCATE_MDL_HANDLER AllocateMdl);
VOID NdisAdvanceNetBufferDataStart(PNET_BUFFER NetBuffer, ULONG Delta, BOOLEAN FreeMdl,
                                   NET_BUFFER_FREE_MDL_HANDLER FreeMdlHandler);
NDIS_STATUS NdisRetreatNetBufferListDataStart(PNET_BUFFER_LIST NetBufferList, ULONG Delta, ULONG BackFill,
                                              NET_BUFFER_ALLOCATE_MDL_HANDLER AllocateMdl,
                                              NET_BUFFER_FREE_MDL_HANDLER FreeMdlHandler);
VOID NdisAdvanceNetBufferListDataStart(PNET_BUFFER_LIST NetBufferList, ULONG Delta, BOOLEAN FreeMdl,
                                       NET_BUFFER_FREE_MDL_HANDLER FreeMdlHandler);
PVOID NdisGetDataBuffer(PNET_BUFFER NetBuffer, ULONG Bytes, PVOID Storage, UINT AlignMultiple, UINT AlignOffset);
NDIS_STATUS NdisCopyFromNetBufferToNetBuffer(PNET_BUFFER To, ULONG ToOffset, ULONG Bytes, PNET_BUFFER From,
                                             ULONG FromOffset, PULONG BytesCopied);
VOID NdisCopySendNetBufferListInfo(PNET_BUFFER_LIST To, PNET_BUFFER_LIST From);
VOID NdisCopyReceiveNetBufferListInfo(PNET_BUFFER_LIST To, PNET_BUFFER_LIST From);

/* MDLs over nonpaged memory */
PMDL NdisAllocateMdl(NDIS_HANDLE Handle, PVOID Address, UINT Length);
VOID NdisFreeMdl(PMDL Mdl);
#define NdisGetNextMdl(mdl, next) (*(next) = (mdl)->Next)

FORCEINLINE VOID NdisQueryMdl(PMDL Mdl, PVOID *Address, PUINT Length, ULONG Priority)
{
    if (Address != NULL) {
        *Address = MmGetSystemAddressForMdlSafe(Mdl, Priority | MdlMappingNoExecute);
    }
    *Length = MmGetMdlByteCount(Mdl);
}

/* Giving buffers to NDIS and back */
VOID NdisMIndicateReceiveNetBufferLists(NDIS_HANDLE Adapter, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Count,
                                        ULONG Flags);
VOID NdisMSendNetBufferListsComplete(NDIS_HANDLE Adapter, PNET_BUFFER_LIST Lists, ULONG Flags);
