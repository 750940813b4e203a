/** Every NDIS function we have, by name. A family joins by one line. */
import { attributeFunctions } from './attributes.ts';
import { dataPathFunctions } from './data-path.ts';
import { driverFunctions } from './driver.ts';
import { eventFunctions } from './events.ts';
import { genericObjectFunctions } from './generic-objects.ts';
import { legacyTimerFunctions } from './legacy-timers.ts';
import { lifecycleFunctions } from './lifecycle.ts';
import { memoryFunctions } from './memory.ts';
import { oidFunctions } from './oids.ts';
import { portFunctions } from './ports.ts';
import { rwLockFunctions } from './rw-locks.ts';
import { spinLockFunctions } from './spin-locks.ts';
import { timerFunctions } from './timers.ts';
import { workItemFunctions } from './work-items.ts';

export const ndisFunctions = {
  ...attributeFunctions,
  ...dataPathFunctions,
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
