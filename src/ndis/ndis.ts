/**
 * The NDIS library of one machine: its drivers and adapters and the parts that play NDIS' own side. Function bodies get this
 * composition; behaviour stands in the families' files.
 */
import { FunctionLayout } from '../kernel/host-code.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { PciDevice } from '../kernel/pci.ts';
import type { Handle } from '../trace/units.ts';
import { Shadow } from '../x64/memory.ts';
import { Adapter } from './adapter.ts';
import { DeviceStacks } from './bus-data.ts';
import { Configuration } from './configuration.ts';
import { DataPath } from './data-path.ts';
import { NdisDevices } from './device-objects.ts';
import type { MiniportDriver } from './driver.ts';
import { Files } from './files.ts';
import { ndisFunctions } from './functions.ts';
import { GenericObjects } from './generic-objects.ts';
import { IdleNotifications } from './idle-notifications.ts';
import { Interfaces } from './interfaces.ts';
import { Interrupts } from './interrupts.ts';
import { IoPorts } from './io-ports.ts';
import { Lifecycle } from './lifecycle.ts';
import { Logs } from './logs.ts';
import { NetBufferData } from './net-buffer-data.ts';
import { DataStart } from './net-buffer-data-start.ts';
import { NetBufferLists } from './net-buffer-lists.ts';
import { NetBufferPools } from './net-buffer-pools.ts';
import { NetBuffers } from './net-buffers.ts';
import type { Header } from './object-header.ts';
import { Oids } from './oids.ts';
import { setOptionalHandlers } from './optional-handlers.ts';
import { Ports } from './ports.ts';
import { Power } from './power.ts';
import { Receives } from './receives.ts';
import { Resets } from './reset.ts';
import { RwLocks } from './rw-locks.ts';
import { ScatterGatherDma } from './scatter-gather-dma.ts';
import { Sends } from './sends.ts';
import { SharedMemory } from './shared-memory.ts';
import { NdisTimers } from './timers.ts';
import { NdisWorkItems } from './work-items.ts';

const functions = new FunctionLayout(ndisFunctions);

export class Ndis {
  readonly kernel: Kernel;
  readonly drivers: MiniportDriver[] = [];
  readonly adapters: Adapter[] = [];
  readonly lifecycle: Lifecycle;
  readonly oids: Oids;
  readonly dataPath: DataPath;
  readonly sends: Sends;
  readonly receives: Receives;
  readonly netBufferPools: NetBufferPools;
  readonly netBufferLists: NetBufferLists;
  readonly netBuffers: NetBuffers;
  readonly netBufferData: NetBufferData;
  readonly dataStart: DataStart;
  readonly resets: Resets;
  readonly ports: Ports;
  readonly power: Power;
  readonly interrupts: Interrupts;
  readonly ioPorts: IoPorts;
  readonly deviceStacks: DeviceStacks;
  readonly dma: ScatterGatherDma;
  readonly sharedMemory: SharedMemory;
  readonly logs: Logs;
  readonly interfaces: Interfaces;
  readonly idleNotifications: IdleNotifications;
  readonly files: Files;
  readonly configuration: Configuration;
  readonly devices: NdisDevices;
  readonly genericObjects: GenericObjects;
  readonly rwLocks: RwLocks;
  readonly workItems: NdisWorkItems;
  readonly timers: NdisTimers;
  /** Every cancel of a queued one-shot timer comes too late: it expires on another processor just then. */
  timerRace = false;
  /** Partial cancel ids given out. */
  cancelIds = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.lifecycle = new Lifecycle(this);
    this.oids = new Oids(this);
    this.dataPath = new DataPath(this);
    this.sends = new Sends(this);
    this.receives = new Receives(this);
    this.netBufferPools = new NetBufferPools(this);
    this.netBufferLists = new NetBufferLists(this);
    this.netBuffers = new NetBuffers(this);
    this.netBufferData = new NetBufferData(kernel);
    this.dataStart = new DataStart(this);
    this.resets = new Resets(this);
    this.ports = new Ports(this);
    this.power = new Power(this);
    this.interrupts = new Interrupts(this);
    this.ioPorts = new IoPorts(this);
    this.deviceStacks = new DeviceStacks(this);
    this.dma = new ScatterGatherDma(this);
    this.sharedMemory = new SharedMemory(this);
    this.logs = new Logs(this);
    this.interfaces = new Interfaces(this);
    this.idleNotifications = new IdleNotifications(this);
    this.files = new Files(this);
    this.configuration = new Configuration(this);
    this.devices = new NdisDevices(this);
    this.genericObjects = new GenericObjects(this);
    this.rwLocks = new RwLocks(this);
    this.workItems = new NdisWorkItems(this);
    this.timers = new NdisTimers(this);
    kernel.code.provideAll(functions, this);
  }

  /** A handle: an address the driver may store and compare, and may not look into. */
  newHandle(what: string): Handle {
    return this.kernel.heap.allocate(16, what, { shadow: Shadow.Guard });
  }

  /** A new adapter of a driver for a device; `registryPath` is its key. */
  addAdapter(driver: MiniportDriver, device: PciDevice | undefined, registryPath: string): Adapter {
    const handle = this.newHandle('NDIS miniport adapter handle');
    const adapter = new Adapter({ handle, driver, device, registryPath, trace: this.kernel.trace });
    this.adapters.push(adapter);
    return adapter;
  }

  /** The adapter a driver means by a handle, as long as the handle is good. */
  adapterOf(handle: Handle): Adapter | undefined {
    return this.adapters.find((adapter) => adapter.handle === handle && adapter.valid);
  }

  setOptionalHandlers(driver: MiniportDriver, header: Header): number {
    return setOptionalHandlers(this.kernel.memory, driver, header);
  }

  /** The registration attributes came: NDIS opens the default port for traffic unless the driver controls it. */
  registrationAttributesSet(adapter: Adapter): void {
    this.ports.adapterRegistered(adapter);
  }

  /** MiniportHaltEx returned, or MiniportInitializeEx failed: NDIS takes back what is its own. */
  adapterGone(adapter: Adapter, after: 'halt' | 'failed initialize'): void {
    this.dataPath.adapterGone(adapter, after);
    this.interrupts.adapterGone(adapter);
    this.sharedMemory.adapterGone(adapter, after);
    this.dma.adapterGone(adapter, after);
    this.ports.adapterGone(adapter);
  }
}
