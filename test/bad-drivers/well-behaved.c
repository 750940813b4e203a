/* Nothing is wrong with this one: the others differ from it in one thing. */
#include "miniport.h"
