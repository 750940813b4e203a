/** Every kernel and HAL function we have, by name. A family joins by one line. */
import { cStringFunctions } from './c-strings.ts';
import { memoryFunctions } from './memory-routines.ts';
import { printingFunctions } from './printing.ts';
import { spinLockFunctions } from './spin-locks.ts';
import { stringFunctions } from './strings.ts';

export const kernelFunctions = {
  ...cStringFunctions,
  ...memoryFunctions,
  ...printingFunctions,
  ...spinLockFunctions,
  ...stringFunctions,
};
