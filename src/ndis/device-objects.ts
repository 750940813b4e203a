import type { Handle } from '../trace/units.ts';
import type { Ndis } from './ndis.ts';

export class NdisDevices {
  readonly ndis: Ndis;
  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }
  isDevice(_handle: Handle): boolean {
    return false;
  }
}
