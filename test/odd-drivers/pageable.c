/*
 * A miniport with pageable code, as `#pragma alloc_text(PAGE, ...)` makes it. What runs below DISPATCH_LEVEL may lie there; a
 * helper that takes a spin lock may not, unless its section is locked meanwhile.
 *
 *     SEED_TAKES_LOCK  halt's pageable helper takes a spin lock
 *     SEED_DPC         a DPC's routine is pageable
 *     SEED_UNLOCKED    the section is unlocked before what it was locked for
 *     SEED_ENTIRE      the whole driver is made pageable, its locks included
 */
#include <ndis.h>

#define PAGED_CODE_SECTION __attribute__((section("PAGE"), noinline))
#define LOCKED_CODE_SECTION __attribute__((section("PAGELK"), noinline))

static KSPIN_LOCK Lock;
static KDPC Dpc;
static volatile LONG Count;

static VOID LOCKED_CODE_SECTION CountUnderLock(VOID)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Lock, &Irql);
    Count++;
    KeReleaseSpinLock(&Lock, Irql);
}

#ifdef SEED_DPC
static VOID PAGED_CODE_SECTION
#else
static VOID
#endif
DpcRoutine(PKDPC Self, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    UNREFERENCED_PARAMETER(Self);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);
    Count++;
}

static VOID PAGED_CODE_SECTION Forget(VOID)
{
#ifdef SEED_TAKES_LOCK
    KIRQL Irql;

    KeAcquireSpinLock(&Lock, &Irql);
    Count = 0;
    KeReleaseSpinLock(&Lock, Irql);
#else
    Count = 0;
    KeFlushQueuedDpcs();
#endif
}

static VOID CountTwice(VOID)
{
    PVOID Section = MmLockPagableDataSection((PVOID)CountUnderLock);
    KIRQL Irql;

#ifdef SEED_UNLOCKED
    MmUnlockPagableImageSection(Section);
#endif
    CountUnderLock();
#ifndef SEED_UNLOCKED
    MmUnlockPagableImageSection(Section);
#endif
    KeAcquireSpinLock(&Lock, &Irql);
    Count++;
    KeReleaseSpinLock(&Lock, Irql);
}

#ifdef SEED_ENTIRE
#define IN_DRIVER_ENTRY MmPageEntireDriver((PVOID)DpcRoutine); KeInitializeSpinLock(&Lock);
#else
#define IN_DRIVER_ENTRY KeInitializeSpinLock(&Lock);
#endif
#define IN_INITIALIZE KeInitializeDpc(&Dpc, DpcRoutine, NULL); KeInsertQueueDpc(&Dpc, NULL, NULL);
#define IN_HALT CountTwice(); Forget();
#include "../bad-drivers/miniport.h"
