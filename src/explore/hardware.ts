/** Troubles of the hardware: what the plain run's device can show, and the moments at which it may fall silent. */
import { silentFrom } from '../devices/troubles.ts';
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import type { EventOf, TraceEvent } from '../trace/events.ts';
import { listed, type Phase } from './phase.ts';

export const hardwareTroubles: Phase = listed('troubles of the hardware', ({ plain }) => withTroubles(plain.events));

/** By these calls a driver that never touches a register still shows that it wants hardware. */
const CLAIMS = [
  'NdisMRegisterInterruptEx',
  'NdisMMapIoSpace',
  'NdisMRegisterIoPortRange',
  'NdisMRegisterScatterGatherDma',
  'NdisMGetBusData',
];

/** One scenario for each trouble; none where there is no device, or the driver does not look for it. */
export function withTroubles(plain: readonly TraceEvent[]): Scenario[] {
  const facts = plain.filter((event): event is EventOf<'fact'> => event.kind === 'fact');
  const device = facts.find(({ what }) => what === 'device-plugged-in');
  const first = facts.filter(({ what }) => what === 'device-first-access');
  const claims = plain.some((event) => event.kind === 'call' && CLAIMS.includes(event.fn));
  if (device === undefined || (first.length === 0 && !claims)) return [];
  const troubles = device.detail.troubles as readonly string[];
  const silent = momentsOf(first.map(({ detail }) => [detail.routine as string, detail.access as number]));
  return [...troubles, ...silent.map(silentFrom)].map((hardware) => ({ ...plainScenario, hardware }));
}

/**
 * Accesses at which falling silent makes a difference: every routine's first and second, and for MiniportInitializeEx, which has
 * the most to undo, a few between and its last. The first of all is the trouble `all-ones` already.
 */
function momentsOf(first: readonly (readonly [routine: string, access: number])[]): number[] {
  const moments = new Set<number>();
  first.forEach(([routine, access], i) => {
    for (const moment of [access, access + 1]) moments.add(moment);
    const next = first[i + 1]?.[1];
    if (routine !== 'MiniportInitializeEx' || next === undefined) return;
    for (const part of [0.25, 0.5, 0.75]) moments.add(Math.floor(access + part * (next - access)));
    moments.add(next - 1);
  });
  moments.delete(1);
  return [...moments].toSorted((a, b) => a - b);
}
