/* MiniportHaltEx stops the system. */
#define IN_HALT KeBugCheckEx(0xDEADDEAD, 1, 2, 3, 4);
#include "miniport.h"
