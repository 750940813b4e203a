/* Only MiniportShutdownEx calls a function that haltex has not. */
#include <ndis.h>

VOID NdisCmAddPartyComplete(NDIS_STATUS Status, NDIS_HANDLE Party, NDIS_HANDLE Context, PVOID Parameters);

#define IN_SHUTDOWN NdisCmAddPartyComplete(0, NULL, NULL, NULL);
#include "miniport.h"
