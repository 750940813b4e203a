/* The headers for C++: no exceptions, no RTTI; memory comes from NDIS and objects are built in place. */
#pragma once
extern "C" {
#include "board.h"
#include "frame.h"
}
#undef NULL
#define NULL nullptr

inline void *operator new(SIZE_T, void *Place) noexcept
{
    return Place;
}

/* Virtual destructors refer to it; nothing is ever deleted with it. */
void operator delete(void *) noexcept
{
}

void operator delete(void *, SIZE_T) noexcept
{
}
