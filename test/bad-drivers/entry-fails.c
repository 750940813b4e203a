/* DriverEntry refuses. */
#define IN_DRIVER_ENTRY                                                                                                \
    if (DriverHandle == NULL) {                                                                                        \
        return STATUS_UNSUCCESSFUL;                                                                                    \
    }
#include "miniport.h"
