/* MiniportHaltEx calls through a pointer that leads nowhere. */
#define IN_HALT                                                                                                        \
    ((VOID(*)(VOID))0xFFFFF80012345678ULL)();                                                                          \
    DriverHandle = NULL;
#include "miniport.h"
