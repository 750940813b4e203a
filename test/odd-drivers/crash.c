/*
 * A miniport that writes down what it was doing when the system crashes.
 *
 *     SEED_ALLOCATES  its callback allocates memory, at HIGH_LEVEL
 *     SEED_KEEPS      it is not deregistered when the driver unloads
 */
#include <ndis.h>

static KBUGCHECK_CALLBACK_RECORD Record;
static ULONG Notes[4];

static VOID BugCheck(PVOID Buffer, ULONG Length)
{
#ifdef SEED_ALLOCATES
    PVOID Copy = ExAllocatePoolWithTag(NonPagedPoolNx, Length, 'hsrC');

    if (Copy != NULL) {
        ExFreePoolWithTag(Copy, 'hsrC');
    }
#endif
    ((PULONG)Buffer)[0] = Length;
}

#ifdef SEED_KEEPS
#define IN_UNLOAD
#else
#define IN_UNLOAD KeDeregisterBugCheckCallback(&Record);
#endif
#define ONCE_REGISTERED KeRegisterBugCheckCallback(&Record, BugCheck, Notes, sizeof(Notes), (PUCHAR)"crash");
#include "../bad-drivers/miniport.h"
