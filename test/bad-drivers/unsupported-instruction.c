/* MiniportInitializeEx runs an x87 instruction that haltex has not. */
#define IN_INITIALIZE __asm__ volatile("fldpi\n\tfsin\n\tfstp %%st(0)" ::: "st");
#include "miniport.h"
