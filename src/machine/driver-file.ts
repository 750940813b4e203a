/** A driver as given: an image or a TypeScript miniport. Loading it makes the objects DriverEntry is called with. */
import type { Image } from '../image/image.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { RegistryInit } from '../kernel/registry.ts';
import { type Address, at } from '../trace/units.ts';
import type { Miniport } from './miniport.ts';
import { wdkOf } from './miniport.ts';

/** A driver before it is loaded: an image as read from its file, or a miniport in TypeScript. */
export type DriverFile =
  | { readonly kind: 'image'; readonly name: string; readonly image: Image }
  | { readonly kind: 'typescript'; readonly name: string; readonly miniport: Miniport };

export interface LoadedDriver {
  readonly entry: Address;
  readonly driverObject: Address;
  readonly registryPath: Address;
  /** Installs the driver's nth adapter, from 0, and gives its key in the registry. */
  readonly installAdapter: (index: number) => string;
  /** Where the image lies; undefined for a driver in TypeScript. */
  readonly imageBase: Address | undefined;
  readonly entryReturned: () => void;
  readonly unloaded: () => void;
}

/** The first adapter's instance under the network class key. */
const INSTANCE = 7;

/** What the class installer writes into every adapter's key; an INF's hardware id takes the place of the made-up one. */
const INSTALLED = { MatchingDeviceId: 'root\\net' };
const instanceId = (index: number) => `{4b3ae1d8-5d1c-4b6e-9a7f-6c1d2e3f4a5${(11 + index).toString(16)}}`;

export function loadDriver(
  kernel: Kernel,
  file: DriverFile,
  adapterValues: Readonly<Record<string, RegistryInit>>,
): LoadedDriver {
  const name = file.name.replace(/\.\w+$/, '');
  const service = kernel.registry.service(name);
  const installAdapter = (index: number) => {
    const adapter = kernel.registry.adapter(INSTANCE + index);
    const values = { NetCfgInstanceId: instanceId(index), ...INSTALLED, ...adapterValues };
    for (const [name, value] of Object.entries(values)) adapter.setBelow(name, value);
    return adapter.path;
  };
  const common = { registryPath: unicodeString(kernel, service.path), installAdapter };
  if (file.kind === 'typescript') {
    const { DriverEntry } = file.miniport.load(wdkOf(kernel));
    const none = () => {};
    return {
      ...common,
      imageBase: undefined,
      entry: kernel.code.expose(DriverEntry),
      driverObject: kernel.ioDrivers.create({ name }),
      entryReturned: none,
      unloaded() {
        kernel.code.retired = (routine, stack) => kernel.exceptions.afterUnload(file.name, routine, stack);
      },
    };
  }
  const module = kernel.modules.load(file.image, file.name);
  const entry = at(module.base, file.image.entryPoint);
  return {
    ...common,
    imageBase: module.base,
    entry,
    driverObject: kernel.ioDrivers.create({ name, start: module.base, size: file.image.sizeOfImage, entry }),
    entryReturned: () => kernel.modules.discard(module),
    unloaded: () => kernel.modules.unload(module),
  };
}

/** A UNICODE_STRING with its buffer behind it. */
function unicodeString(kernel: Kernel, text: string): Address {
  const { heap, memory } = kernel;
  const string = heap.allocate(16 + 2 * (text.length + 1), 'UNICODE_STRING', { fill: 0 });
  memory.writeU16(string, 2 * text.length);
  memory.writeU16(at(string, 2), 2 * (text.length + 1));
  memory.writePointer(at(string, 8), at(string, 16));
  for (let i = 0; i < text.length; i++) memory.writeU16(at(string, 16 + 2 * i), text.charCodeAt(i));
  return string;
}
