/**
 * D3 and back, for miniports that NDIS need not halt when the system sleeps: OID_PNP_SET_POWER, and what the bus driver does to
 * the device beside it. Pages: network/oid-pnp-set-power, network/device-power-states-for-network-adapters.
 */
import type { Coroutine } from '../kernel/scheduler.ts';
import { hex } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { Attributes } from './driver-structures.ts';
import type { Ndis } from './ndis.ts';
import type { OidRequest } from './oids.ts';

/** NDIS_DEVICE_POWER_STATE. */
const PowerState = { D0: 1, D3: 4 } as const;
type PowerStateName = keyof typeof PowerState;

const OID_PNP_SET_POWER = 0xfd01_0101;

/** NDIS 6.30: from here on a driver may ask not to be paused for D3. */
const NO_PAUSE_SINCE = 30;

const setPower = (state: PowerStateName): OidRequest => ({
  name: 'OID_PNP_SET_POWER',
  oid: OID_PNP_SET_POWER,
  type: 'SetInformation',
  buffer: new Uint8Array(Uint32Array.of(PowerState[state]).buffer),
});

/** Whether NDIS halts the miniport when the system sleeps: page network/power-management-for-old-miniport-drivers. */
export const isHaltedForSleep = (adapter: Adapter): boolean => !adapter.has(Attributes.NO_HALT_ON_SUSPEND);

/** Whether NDIS sends the miniport OID_PNP_SET_POWER: it manages power, or at least need not be halted. */
export const isAskedToSleep = (adapter: Adapter): boolean => adapter.managesPower || !isHaltedForSleep(adapter);

/** Whether the stack is paused for D3; NDIS asks the drivers above too, and those here would all agree. */
export const isPausedForSleep = (adapter: Adapter): boolean =>
  adapter.driver.minorVersion < NO_PAUSE_SINCE || !adapter.has(Attributes.NO_PAUSE_ON_SUSPEND);

export class Power {
  private readonly ndis: Ndis;

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** To D3: first the driver prepares, then the bus driver takes the power. A driver may not refuse; one that does loses it too. */
  *sleep(adapter: Adapter): Coroutine<void> {
    yield* this.ndis.oids.request(adapter, setPower('D3'));
    this.off(adapter);
  }

  /** Back to D0: first the bus driver gives the power, then the driver restores what it needs. */
  *wake(adapter: Adapter): Coroutine<void> {
    this.on(adapter);
    yield* this.ndis.oids.request(adapter, setPower('D0'));
    yield* this.ndis.lifecycle.pnpEvent(adapter, 'PowerProfileChanged');
  }

  /** The bus driver's part alone: what happens to the device of an adapter that was halted for sleep. */
  off(adapter: Adapter): void {
    this.changed(adapter, 'D3');
    adapter.asleep = true;
    adapter.device?.power(false);
  }

  on(adapter: Adapter): void {
    adapter.device?.power(true);
    adapter.asleep = false;
    this.changed(adapter, 'D0');
  }

  /** For the rules, with what the NIC still does at that moment. */
  private changed(adapter: Adapter, state: PowerStateName): void {
    const activity = [...(adapter.device?.activity() ?? [])];
    const detail = { adapter: hex(adapter.handle), power: state, state: adapter.state, activity };
    this.ndis.kernel.trace.emit({ kind: 'fact', what: 'power-state', detail });
  }
}
