/* A system thread that halt asks to end. */
#define RACE_MEMBERS KEVENT Stop; PVOID Thread; BOOLEAN Runs;
#include "race.h"

static VOID Run(PVOID Context)
{
    PRACE R = Context;
    LARGE_INTEGER Second;

    Second.QuadPart = -1000 * 10000LL;
    while (KeWaitForSingleObject(&R->Stop, Executive, KernelMode, FALSE, &Second) == STATUS_TIMEOUT) {
        R->Count++;
    }
    NdisSetEvent(&R->Done);
    R->Runs = FALSE;
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static NDIS_STATUS RaceBegin(PRACE R, PNDIS_MINIPORT_INIT_PARAMETERS Init)
{
    HANDLE Handle;

    UNREFERENCED_PARAMETER(Init);
    KeInitializeEvent(&R->Stop, NotificationEvent, FALSE);
    if (!NT_SUCCESS(PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Run, R))) {
        return NDIS_STATUS_RESOURCES;
    }
    if (!NT_SUCCESS(ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, NULL, KernelMode, &R->Thread, NULL))) {
        KeSetEvent(&R->Stop, IO_NO_INCREMENT, FALSE);
        ZwWaitForSingleObject(Handle, FALSE, NULL);
        R->Thread = NULL;
        ZwClose(Handle);
        return NDIS_STATUS_RESOURCES;
    }
    R->Runs = TRUE;
    ZwClose(Handle);
    return NDIS_STATUS_SUCCESS;
}

static VOID RaceEnd(PRACE R)
{
    if (R->Thread != NULL) {
        KeSetEvent(&R->Stop, IO_NO_INCREMENT, FALSE);
#ifdef SEED_ITS_EVENT
        NdisWaitEvent(&R->Done, 0);
#else
        KeWaitForSingleObject(R->Thread, Executive, KernelMode, FALSE, NULL);
#endif
        ObDereferenceObject(R->Thread);
    }
}
