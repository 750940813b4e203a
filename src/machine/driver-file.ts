/** A driver as given: an image or a TypeScript miniport. Loading it makes the objects DriverEntry is called with. */
import type { Image } from '../image/image.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type Address, at, NULL } from '../trace/units.ts';
import type { Miniport } from './miniport.ts';
import { wdkOf } from './miniport.ts';

export type DriverFile =
  | { readonly kind: 'image'; readonly name: string; readonly image: Image }
  | { readonly kind: 'typescript'; readonly name: string; readonly miniport: Miniport };

export interface LoadedDriver {
  readonly entry: Address;
  readonly driverObject: Address;
  readonly registryPath: Address;
  readonly adapterKey: string;
  readonly entryReturned: () => void;
  readonly unloaded: () => void;
}

const SERVICES = '\\Registry\\Machine\\System\\CurrentControlSet\\Services\\';
const CLASS =
  '\\Registry\\Machine\\System\\CurrentControlSet\\Control\\Class\\{4d36e972-e325-11ce-bfc1-08002be10318}\\0007';

export type RegistryValues = Readonly<Record<string, string | number | Uint8Array>>;

export function loadDriver(kernel: Kernel, file: DriverFile, adapterValues: RegistryValues): LoadedDriver {
  const service = SERVICES + file.name.replace(/\.\w+$/, '');
  kernel.registry.createKey(service);
  kernel.registry.createKey(CLASS, { NetCfgInstanceId: '{4b3ae1d8-5d1c-4b6e-9a7f-6c1d2e3f4a5b}', ...adapterValues });
  const registryPath = unicodeString(kernel, service);
  if (file.kind === 'typescript') {
    const { DriverEntry } = file.miniport.load(wdkOf(kernel));
    const driverObject = kernel.io.createDriverObject(file.name, NULL, 0);
    const none = () => {};
    return {
      entry: kernel.code.expose(DriverEntry),
      driverObject,
      registryPath,
      adapterKey: CLASS,
      entryReturned: none,
      unloaded: none,
    };
  }
  const module = kernel.modules.load(file.image, file.name);
  return {
    entry: at(module.base, file.image.entryPoint),
    driverObject: kernel.io.createDriverObject(file.name, module.base, file.image.sizeOfImage),
    registryPath,
    adapterKey: CLASS,
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
