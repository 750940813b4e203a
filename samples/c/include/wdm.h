/* The kernel interface a driver sees: see wdm/ for the families. */
#pragma once
#include "wdm/base.h"
#include "wdm/ke.h"
#include "wdm/ex.h"
#include "wdm/mm.h"
#include "wdm/rtl.h"
#include "wdm/io.h"
