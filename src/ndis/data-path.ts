/** Sends and receives between NDIS and the miniport. */
import { functionsOf } from '../kernel/record.ts';
import type { Adapter } from './adapter.ts';
import type { Ndis } from './ndis.ts';

export class DataPath {
  readonly ndis: Ndis;

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** The driver's pause is complete: whatever is still out is a fact for the rules. */
  pauseCompleted(_adapter: Adapter): void {}
}

export const dataPathFunctions = {};
void functionsOf;
