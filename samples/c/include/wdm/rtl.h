/* Run-time library, objects, threads and the registry and file system calls. */
#pragma once
#include "ex.h"

/* Strings */
NTKERNELAPI VOID RtlInitUnicodeString(PUNICODE_STRING To, PCWSTR From);
NTKERNELAPI VOID RtlInitAnsiString(PANSI_STRING To, PCSZ From);
NTKERNELAPI NTSTATUS RtlAnsiStringToUnicodeString(PUNICODE_STRING To, PCANSI_STRING From, BOOLEAN Allocate);
NTKERNELAPI NTSTATUS RtlUnicodeStringToAnsiString(PANSI_STRING To, PCUNICODE_STRING From, BOOLEAN Allocate);
NTKERNELAPI VOID RtlFreeUnicodeString(PUNICODE_STRING String);
NTKERNELAPI VOID RtlFreeAnsiString(PANSI_STRING String);
NTKERNELAPI VOID RtlCopyUnicodeString(PUNICODE_STRING To, PCUNICODE_STRING From);
NTKERNELAPI NTSTATUS RtlAppendUnicodeToString(PUNICODE_STRING To, PCWSTR From);
NTKERNELAPI NTSTATUS RtlAppendUnicodeStringToString(PUNICODE_STRING To, PCUNICODE_STRING From);
NTKERNELAPI LONG RtlCompareUnicodeString(PCUNICODE_STRING A, PCUNICODE_STRING B, BOOLEAN IgnoreCase);
NTKERNELAPI BOOLEAN RtlEqualUnicodeString(PCUNICODE_STRING A, PCUNICODE_STRING B, BOOLEAN IgnoreCase);
NTKERNELAPI NTSTATUS RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String);
NTKERNELAPI NTSTATUS RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value);
NTKERNELAPI SIZE_T RtlCompareMemory(const void *A, const void *B, SIZE_T Length);

/* Objects */
typedef struct _OBJECT_ATTRIBUTES {
    ULONG Length;
    HANDLE RootDirectory;
    PUNICODE_STRING ObjectName;
    ULONG Attributes;
    PVOID SecurityDescriptor;
    PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;

typedef struct _CLIENT_ID {
    HANDLE UniqueProcess;
    HANDLE UniqueThread;
} CLIENT_ID, *PCLIENT_ID;

#define OBJ_CASE_INSENSITIVE 0x00000040L
#define OBJ_OPENIF 0x00000080L
#define OBJ_KERNEL_HANDLE 0x00000200L

FORCEINLINE VOID InitializeObjectAttributes(POBJECT_ATTRIBUTES Object, PUNICODE_STRING Name, ULONG Attributes,
                                            HANDLE Root, PVOID Security)
{
    Object->Length = sizeof(*Object);
    Object->RootDirectory = Root;
    Object->ObjectName = Name;
    Object->Attributes = Attributes;
    Object->SecurityDescriptor = Security;
    Object->SecurityQualityOfService = NULL;
}

NTKERNELAPI NTSTATUS ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type,
                                               KPROCESSOR_MODE Mode, PVOID *Object, PVOID Information);
NTKERNELAPI NTSTATUS ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK Access, POBJECT_TYPE Type,
                                                KPROCESSOR_MODE Mode);
NTKERNELAPI LONG_PTR ObfReferenceObject(PVOID Object);
NTKERNELAPI LONG_PTR ObfDereferenceObject(PVOID Object);
#define ObReferenceObject(object) ObfReferenceObject(object)
#define ObDereferenceObject(object) ObfDereferenceObject(object)

/* Threads */
#define THREAD_ALL_ACCESS 0x001FFFFF
typedef VOID KSTART_ROUTINE(PVOID Context);
typedef KSTART_ROUTINE *PKSTART_ROUTINE;
NTKERNELAPI NTSTATUS PsCreateSystemThread(PHANDLE Thread, ULONG Access, POBJECT_ATTRIBUTES Attributes, HANDLE Process,
                                          PCLIENT_ID ClientId, PKSTART_ROUTINE Routine, PVOID Context);
NTKERNELAPI NTSTATUS PsTerminateSystemThread(NTSTATUS Status);
NTKERNELAPI NTSTATUS ZwWaitForSingleObject(HANDLE Object, BOOLEAN Alertable, PLARGE_INTEGER Timeout);
NTKERNELAPI HANDLE PsGetCurrentThreadId(VOID);
NTKERNELAPI HANDLE PsGetCurrentProcessId(VOID);
#define PsGetCurrentThread() KeGetCurrentThread()

/* Registry */
#define KEY_QUERY_VALUE 0x0001
#define KEY_SET_VALUE 0x0002
#define KEY_READ 0x20019
#define KEY_WRITE 0x20006
#define KEY_ALL_ACCESS 0xF003F
#define REG_NONE 0
#define REG_SZ 1
#define REG_EXPAND_SZ 2
#define REG_BINARY 3
#define REG_DWORD 4
#define REG_MULTI_SZ 7
#define REG_QWORD 11
#define REG_OPTION_NON_VOLATILE 0
#define REG_OPTION_VOLATILE 1

typedef enum _KEY_VALUE_INFORMATION_CLASS {
    KeyValueBasicInformation, KeyValueFullInformation, KeyValuePartialInformation
} KEY_VALUE_INFORMATION_CLASS;
typedef enum _KEY_INFORMATION_CLASS {
    KeyBasicInformation, KeyNodeInformation, KeyFullInformation
} KEY_INFORMATION_CLASS;

typedef struct _KEY_VALUE_PARTIAL_INFORMATION {
    ULONG TitleIndex;
    ULONG Type;
    ULONG DataLength;
    UCHAR Data[1];
} KEY_VALUE_PARTIAL_INFORMATION, *PKEY_VALUE_PARTIAL_INFORMATION;

typedef struct _KEY_VALUE_FULL_INFORMATION {
    ULONG TitleIndex;
    ULONG Type;
    ULONG DataOffset;
    ULONG DataLength;
    ULONG NameLength;
    WCHAR Name[1];
} KEY_VALUE_FULL_INFORMATION, *PKEY_VALUE_FULL_INFORMATION;

typedef struct _KEY_BASIC_INFORMATION {
    LARGE_INTEGER LastWriteTime;
    ULONG TitleIndex;
    ULONG NameLength;
    WCHAR Name[1];
} KEY_BASIC_INFORMATION, *PKEY_BASIC_INFORMATION;

NTKERNELAPI NTSTATUS ZwClose(HANDLE Handle);
NTKERNELAPI NTSTATUS ZwOpenKey(PHANDLE Key, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTKERNELAPI NTSTATUS ZwCreateKey(PHANDLE Key, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG TitleIndex,
                                 PUNICODE_STRING Class, ULONG Options, PULONG Disposition);
NTKERNELAPI NTSTATUS ZwDeleteKey(HANDLE Key);
NTKERNELAPI NTSTATUS ZwEnumerateKey(HANDLE Key, ULONG Index, KEY_INFORMATION_CLASS Class, PVOID Information,
                                    ULONG Length, PULONG ResultLength);
NTKERNELAPI NTSTATUS ZwQueryValueKey(HANDLE Key, PUNICODE_STRING Name, KEY_VALUE_INFORMATION_CLASS Class,
                                     PVOID Information, ULONG Length, PULONG ResultLength);
NTKERNELAPI NTSTATUS ZwSetValueKey(HANDLE Key, PUNICODE_STRING Name, ULONG TitleIndex, ULONG Type, PVOID Data,
                                   ULONG DataSize);

#define RTL_REGISTRY_ABSOLUTE 0
#define RTL_REGISTRY_SERVICES 1
#define RTL_QUERY_REGISTRY_REQUIRED 0x00000004
#define RTL_QUERY_REGISTRY_DIRECT 0x00000020

typedef NTSTATUS RTL_QUERY_REGISTRY_ROUTINE(PWSTR Name, ULONG Type, PVOID Data, ULONG Length, PVOID Context,
                                            PVOID EntryContext);
typedef RTL_QUERY_REGISTRY_ROUTINE *PRTL_QUERY_REGISTRY_ROUTINE;

typedef struct _RTL_QUERY_REGISTRY_TABLE {
    PRTL_QUERY_REGISTRY_ROUTINE QueryRoutine;
    ULONG Flags;
    PWSTR Name;
    PVOID EntryContext;
    ULONG DefaultType;
    PVOID DefaultData;
    ULONG DefaultLength;
} RTL_QUERY_REGISTRY_TABLE, *PRTL_QUERY_REGISTRY_TABLE;

NTKERNELAPI NTSTATUS RtlQueryRegistryValues(ULONG RelativeTo, PCWSTR Path, PRTL_QUERY_REGISTRY_TABLE Table,
                                            PVOID Context, PVOID Environment);
NTKERNELAPI NTSTATUS RtlWriteRegistryValue(ULONG RelativeTo, PCWSTR Path, PCWSTR Name, ULONG Type, PVOID Data,
                                           ULONG Length);
NTKERNELAPI NTSTATUS RtlDeleteRegistryValue(ULONG RelativeTo, PCWSTR Path, PCWSTR Name);

/* Files */
typedef struct _IO_STATUS_BLOCK {
    union { NTSTATUS Status; PVOID Pointer; };
    ULONG_PTR Information;
} IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;

typedef VOID (*PIO_APC_ROUTINE)(PVOID Context, PIO_STATUS_BLOCK Status, ULONG Reserved);

typedef enum _FILE_INFORMATION_CLASS { FileStandardInformation = 5 } FILE_INFORMATION_CLASS;

typedef struct _FILE_STANDARD_INFORMATION {
    LARGE_INTEGER AllocationSize;
    LARGE_INTEGER EndOfFile;
    ULONG NumberOfLinks;
    BOOLEAN DeletePending;
    BOOLEAN Directory;
} FILE_STANDARD_INFORMATION, *PFILE_STANDARD_INFORMATION;

#define GENERIC_READ 0x80000000UL
#define GENERIC_WRITE 0x40000000UL
#define SYNCHRONIZE 0x00100000UL
#define FILE_READ_DATA 0x0001
#define FILE_WRITE_DATA 0x0002
#define FILE_SHARE_READ 0x00000001
#define FILE_SHARE_WRITE 0x00000002
#define FILE_OPEN 0x00000001
#define FILE_CREATE 0x00000002
#define FILE_OPEN_IF 0x00000003
#define FILE_OVERWRITE_IF 0x00000005
#define FILE_SYNCHRONOUS_IO_NONALERT 0x00000020
#define FILE_NON_DIRECTORY_FILE 0x00000040
#define FILE_ATTRIBUTE_NORMAL 0x00000080

NTKERNELAPI NTSTATUS ZwCreateFile(PHANDLE File, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                  PIO_STATUS_BLOCK Status, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                                  ULONG ShareAccess, ULONG Disposition, ULONG Options, PVOID Ea, ULONG EaLength);
NTKERNELAPI NTSTATUS ZwOpenFile(PHANDLE File, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                PIO_STATUS_BLOCK Status, ULONG ShareAccess, ULONG Options);
NTKERNELAPI NTSTATUS ZwReadFile(HANDLE File, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID ApcContext,
                                PIO_STATUS_BLOCK Status, PVOID Buffer, ULONG Length, PLARGE_INTEGER Offset,
                                PULONG Key);
NTKERNELAPI NTSTATUS ZwWriteFile(HANDLE File, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID ApcContext,
                                 PIO_STATUS_BLOCK Status, PVOID Buffer, ULONG Length, PLARGE_INTEGER Offset,
                                 PULONG Key);
NTKERNELAPI NTSTATUS ZwQueryInformationFile(HANDLE File, PIO_STATUS_BLOCK Status, PVOID Information, ULONG Length,
                                            FILE_INFORMATION_CLASS Class);

/* Event tracing */
typedef ULONGLONG REGHANDLE, *PREGHANDLE;

typedef struct _EVENT_DESCRIPTOR {
    USHORT Id;
    UCHAR Version;
    UCHAR Channel;
    UCHAR Level;
    UCHAR Opcode;
    USHORT Task;
    ULONGLONG Keyword;
} EVENT_DESCRIPTOR;
typedef const EVENT_DESCRIPTOR *PCEVENT_DESCRIPTOR;

typedef struct _EVENT_DATA_DESCRIPTOR {
    ULONGLONG Ptr;
    ULONG Size;
    ULONG Reserved;
} EVENT_DATA_DESCRIPTOR, *PEVENT_DATA_DESCRIPTOR;

typedef VOID ETWENABLECALLBACK(LPCGUID Source, ULONG Control, UCHAR Level, ULONGLONG Any, ULONGLONG All, PVOID Filter,
                               PVOID Context);
typedef ETWENABLECALLBACK *PETWENABLECALLBACK;

NTKERNELAPI NTSTATUS EtwRegister(LPCGUID Provider, PETWENABLECALLBACK Callback, PVOID Context, PREGHANDLE Handle);
NTKERNELAPI NTSTATUS EtwUnregister(REGHANDLE Handle);
NTKERNELAPI BOOLEAN EtwEventEnabled(REGHANDLE Handle, PCEVENT_DESCRIPTOR Event);
NTKERNELAPI NTSTATUS EtwWrite(REGHANDLE Handle, PCEVENT_DESCRIPTOR Event, LPCGUID Activity, ULONG Count,
                              PEVENT_DATA_DESCRIPTOR Data);
