/** What a flow plays on. */
import type { Kernel } from '../../kernel/kernel.ts';
import type { Coroutine } from '../../kernel/scheduler.ts';
import type { Adapter } from '../../ndis/adapter.ts';
import type { MiniportDriver } from '../../ndis/driver.ts';
import type { Ndis } from '../../ndis/ndis.ts';
import type { Address } from '../../trace/units.ts';
import type { Scenario } from '../scenario.ts';

export interface Stage {
  readonly kernel: Kernel;
  readonly ndis: Ndis;
  readonly scenario: Scenario;
  /** DriverEntry's address and arguments. */
  readonly entry: Address;
  readonly driverObject: Address;
  readonly registryPath: Address;
  /** A new adapter of the driver in the next slot, with a device and a key of its own. */
  readonly addAdapter: (driver: MiniportDriver) => Adapter;
  /** The PnP manager gives the adapter's device other addresses, ports and vectors. */
  readonly rebalance: (adapter: Adapter) => void;
  /** DriverEntry has returned: its discardable sections go. */
  readonly entryReturned: () => void;
  /** MiniportDriverUnload has returned: the image goes. */
  readonly unloaded: () => void;
}

/** A course of events: what happens between MiniportAddDevice and MiniportRemoveDevice of the first adapter. */
export type Play = (stage: Stage, adapter: Adapter) => Coroutine<void>;
