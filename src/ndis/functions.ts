/** Every NDIS function we have, by name. A family joins by one line. */
import { attributeFunctions } from './attributes.ts';
import { dataPathFunctions } from './data-path.ts';
import { derivedListFunctions } from './derived-net-buffer-lists.ts';
import { driverFunctions } from './driver.ts';
import { eventFunctions } from './events.ts';
import { genericObjectFunctions } from './generic-objects.ts';
import { legacyTimerFunctions } from './legacy-timers.ts';
import { lifecycleFunctions } from './lifecycle.ts';
import { ndisMdlFunctions } from './mdls.ts';
import { memoryFunctions } from './memory.ts';
import { dataStartFunctions } from './net-buffer-data-start.ts';
import { netBufferListFunctions } from './net-buffer-lists.ts';
import { netBufferPoolFunctions } from './net-buffer-pools.ts';
import { netBufferFunctions } from './net-buffers.ts';
import { oidFunctions } from './oids.ts';
import { portFunctions } from './ports.ts';
import { resetFunctions } from './reset.ts';
import { rwLockFunctions } from './rw-locks.ts';
import { spinLockFunctions } from './spin-locks.ts';
import { statusIndicationFunctions } from './status-indications.ts';
import { timerFunctions } from './timers.ts';
import { workItemFunctions } from './work-items.ts';

export const ndisFunctions = {
  ...attributeFunctions,
  ...dataPathFunctions,
  ...dataStartFunctions,
  ...derivedListFunctions,
  ...ndisMdlFunctions,
  ...netBufferFunctions,
  ...netBufferListFunctions,
  ...netBufferPoolFunctions,
  ...resetFunctions,
  ...statusIndicationFunctions,
  ...driverFunctions,
  ...lifecycleFunctions,
  ...oidFunctions,
  ...eventFunctions,
  ...genericObjectFunctions,
  ...legacyTimerFunctions,
  ...memoryFunctions,
  ...rwLockFunctions,
  ...spinLockFunctions,
  ...timerFunctions,
  ...workItemFunctions,
  ...portFunctions,
};
