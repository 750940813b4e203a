/** Every kernel and HAL function we have, by name. A family joins by one line. */
import { spinLockFunctions } from './spin-locks.ts';

export const kernelFunctions = {
  ...spinLockFunctions,
};
