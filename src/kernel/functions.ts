/** Every kernel and HAL function we have, by name. A family joins by one line. */
import { cStringFunctions } from './c-strings.ts';
import { dpcFunctions } from './dpcs.ts';
import { ioMappingFunctions } from './io-mappings.ts';
import { ioWorkItemFunctions } from './io-work-items.ts';
import { mdlFunctions } from './mdl.ts';
import { memoryFunctions } from './memory-routines.ts';
import { printingFunctions } from './printing.ts';
import { spinLockFunctions } from './spin-locks.ts';
import { stringFunctions } from './strings.ts';
import { timerFunctions } from './timers.ts';
import { waitFunctions } from './waits.ts';

export const kernelFunctions = {
  ...ioWorkItemFunctions,
  ...ioMappingFunctions,
  ...mdlFunctions,
  ...cStringFunctions,
  ...dpcFunctions,
  ...memoryFunctions,
  ...printingFunctions,
  ...spinLockFunctions,
  ...stringFunctions,
  ...timerFunctions,
  ...waitFunctions,
};
