/* The NDIS 6 interface of a miniport driver: see ndis/ for the families. */
#pragma once
#include "wdm.h"
#include "ndis/miniport.h"
#include "ndis/hardware.h"
#include "ndis/services.h"
