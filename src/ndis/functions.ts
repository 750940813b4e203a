/** Every NDIS function we have, by name. A family joins by one line. */
import { attributeFunctions } from './attributes.ts';
import { dataPathFunctions } from './data-path.ts';
import { driverFunctions } from './driver.ts';
import { lifecycleFunctions } from './lifecycle.ts';
import { oidFunctions } from './oids.ts';
import { portFunctions } from './ports.ts';

export const ndisFunctions = {
  ...attributeFunctions,
  ...dataPathFunctions,
  ...driverFunctions,
  ...lifecycleFunctions,
  ...oidFunctions,
  ...portFunctions,
};
