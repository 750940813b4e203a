/* MiniportInitializeEx walks a list that never ends, a call deeper for each step, until the kernel stack is used up. */
#include <ndis.h>

static ULONG Depth(volatile const ULONG *Steps)
{
    volatile UCHAR Room[1000];

    Room[0] = 1;
    return *Steps == 0 ? 0 : Depth(Steps) + Room[0];
}

static volatile ULONG Left = 1;

#define IN_INITIALIZE                                                                                                  \
    if (Depth(&Left) == 7) {                                                                                           \
        return NDIS_STATUS_FAILURE;                                                                                    \
    }
#include "miniport.h"
