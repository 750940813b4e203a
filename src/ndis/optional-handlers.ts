/** The handler sets a miniport may add in MiniportSetOptions. Page: ndis-ndissetoptionalhandlers. */
import { Unsupported } from '../kernel/stops.ts';
import { type Address, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { MiniportDriver } from './driver.ts';
import { NDIS_MINIPORT_PNP_CHARACTERISTICS, NDIS_MINIPORT_SS_CHARACTERISTICS } from './driver-structures.ts';
import { type Header, headerFault, ObjectType } from './object-header.ts';
import { NDIS_STATUS_FAILURE, NDIS_STATUS_SUCCESS } from './status.ts';

const sets = {
  [ObjectType.MINIPORT_PNP_CHARACTERISTICS]: {
    type: NDIS_MINIPORT_PNP_CHARACTERISTICS,
    handlers: [
      'MiniportAddDeviceHandler',
      'MiniportRemoveDeviceHandler',
      'MiniportFilterResourceRequirementsHandler',
      'MiniportStartDeviceHandler',
    ],
  },
  [ObjectType.MINIPORT_SS_CHARACTERISTICS]: {
    type: NDIS_MINIPORT_SS_CHARACTERISTICS,
    handlers: ['IdleNotificationHandler', 'CancelIdleNotificationHandler'],
  },
} as const;

/** Enters the handlers into the driver. A set haltex does not drive is named, not swallowed. */
export function setOptionalHandlers(memory: GuestMemory, driver: MiniportDriver, header: Header): number {
  const set = sets[header.Type as keyof typeof sets];
  if (set === undefined) {
    throw new Unsupported(
      `NdisSetOptionalHandlers (type 0x${header.Type.toString(16)})`,
      `the driver registers optional handlers of object type 0x${header.Type.toString(16)}, which haltex does not drive`,
    );
  }
  if (headerFault(header, header.Type, [set.type.end]) !== undefined) return NDIS_STATUS_FAILURE;
  const view = set.type.at(memory, header.address) as unknown as Record<string, Address>;
  for (const name of set.handlers) {
    const address = view[name] as Address;
    if (address !== NULL) driver.optional[name] = address;
  }
  return NDIS_STATUS_SUCCESS;
}
