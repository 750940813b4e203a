/** NDIS without guest code, with one driver and one adapter whose MiniportInitializeEx has succeeded: what family tests run on. */
import { kernelFunctions } from '../kernel/functions.ts';
import type { Kernel, KernelOptions } from '../kernel/kernel.ts';
import { type Native, nativeFace } from '../kernel/native.ts';
import type { PciDevice } from '../kernel/pci.ts';
import { type TestKernel, testKernel } from '../kernel/testing.ts';
import type { EventBody, EventOf } from '../trace/events.ts';
import { NULL } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { MiniportDriver } from './driver.ts';
import { ndisFunctions } from './functions.ts';
import { Ndis } from './ndis.ts';

export interface TestNdis extends Omit<TestKernel, 'wdk'> {
  readonly ndis: Ndis;
  readonly driver: MiniportDriver;
  /** In state Paused; its registration attributes are set. */
  readonly adapter: Adapter;
  /** Every kernel and NDIS function, as a TypeScript miniport calls it. */
  readonly wdk: Native<typeof kernelFunctions> & Native<typeof ndisFunctions>;
  /** The trace's events of one kind. */
  events<K extends EventBody['kind']>(kind: K): EventOf<K>[];
  /** The facts of that name. */
  facts(what: string): EventOf<'fact'>[];
}

export interface TestNdisOptions extends Partial<KernelOptions> {
  readonly device?: (kernel: Kernel) => PciDevice;
  readonly handlers?: MiniportDriver['handlers'];
}

export function testNdis({ device, handlers, ...options }: TestNdisOptions = {}): TestNdis {
  const { kernel, run } = testKernel(options);
  const ndis = new Ndis(kernel);
  const driver = new MiniportDriver({
    handle: ndis.newHandle('NDIS miniport driver handle'),
    driverObject: kernel.heap.allocate(0x150, 'DRIVER_OBJECT', { fill: 0 }),
    registryPath: '\\Registry\\Machine\\System\\CurrentControlSet\\Services\\test',
    context: NULL,
    minorVersion: 50,
    handlers: handlers ?? {},
  });
  ndis.drivers.push(driver);
  const adapter = ndis.addAdapter(
    driver,
    device?.(kernel),
    '\\Registry\\Machine\\System\\CurrentControlSet\\Test\\0000',
  );
  adapter.move('MiniportInitializeEx');
  adapter.valid = true;
  adapter.registrationAttributes = true;
  ndis.registrationAttributesSet(adapter);
  adapter.move('initialize complete');
  const events = <K extends EventBody['kind']>(kind: K) =>
    kernel.trace.events.filter((event) => event.kind === kind) as EventOf<K>[];
  return {
    kernel,
    run,
    ndis,
    driver,
    adapter,
    wdk: nativeFace(kernel, { ...kernelFunctions, ...ndisFunctions }),
    events,
    facts: (what) => events('fact').filter((fact) => fact.what === what),
  };
}
