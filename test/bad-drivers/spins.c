/* MiniportHaltEx never returns. */
#define IN_HALT                                                                                                        \
    for (;;) {                                                                                                         \
    }
#include "miniport.h"
