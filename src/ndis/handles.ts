/** The handles that stand for a driver's own NDIS objects, which calls take as their owner. Page: network/obtaining-pool-handles. */
import { type Handle, hex } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';

export type HandleKind = 'adapter' | 'driver' | 'device' | 'generic object';

/** What a handle names now; undefined when it names nothing, or nothing any more. */
export function handleKind(ndis: Ndis, handle: Handle): HandleKind | undefined {
  if (ndis.adapterOf(handle) !== undefined) return 'adapter';
  if (ndis.drivers.some((driver) => driver.handle === handle)) return 'driver';
  if (ndis.devices.isDevice(handle)) return 'device';
  if (ndis.genericObjects.isObject(handle)) return 'generic object';
  return undefined;
}

/**
 * Whether the handle a call is made with is of one of these kinds; if not, says so as a fact. NDIS' own reaction to a stale
 * handle is not documented; the call then fails where it can, and goes on where NDIS only notes the handle down (assumed).
 */
export function checkHandle(
  ndis: Ndis,
  handle: Handle,
  fn: string,
  kinds: readonly HandleKind[] = ['adapter', 'driver', 'device', 'generic object'],
): boolean {
  const kind = handleKind(ndis, handle);
  if (kind !== undefined && kinds.includes(kind)) return true;
  emitFact(ndis.kernel, 'ndis-handle-not-valid', {
    fn,
    handle: hex(handle),
    kind: kind ?? formerKind(ndis, handle),
  });
  return false;
}

/** In words: what the handle was, when it is one that is no longer good. */
function formerKind(ndis: Ndis, handle: Handle): string {
  if (handle === 0) return 'NULL';
  return ndis.adapters.some((adapter) => adapter.handle === handle) ? 'halted adapter' : 'unknown';
}

/** The adapter a resource made with this handle belongs to, for the trace of its callbacks. */
export function adapterFor(ndis: Ndis, owner: Handle): Handle | undefined {
  return ndis.adapters.some((adapter) => adapter.handle === owner) ? owner : undefined;
}
