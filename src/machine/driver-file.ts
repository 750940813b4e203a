/** A driver as given: an image or a TypeScript miniport. Loading it makes the objects DriverEntry is called with. */
import type { Image } from '../image/image.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { RegistryInit } from '../kernel/registry.ts';
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

/** The adapter's instance under the network class key. */
const INSTANCE = 7;

export function loadDriver(
  kernel: Kernel,
  file: DriverFile,
  adapterValues: Readonly<Record<string, RegistryInit>>,
): LoadedDriver {
  const service = kernel.registry.service(file.name.replace(/\.\w+$/, ''));
  const adapter = kernel.registry.adapter(INSTANCE);
  const values = { NetCfgInstanceId: '{4b3ae1d8-5d1c-4b6e-9a7f-6c1d2e3f4a5b}', ...adapterValues };
  for (const [name, value] of Object.entries(values)) adapter.set(name, value);
  const common = { registryPath: unicodeString(kernel, service.path), adapterKey: adapter.path };
  if (file.kind === 'typescript') {
    const { DriverEntry } = file.miniport.load(wdkOf(kernel));
    const none = () => {};
    return {
      ...common,
      entry: kernel.code.expose(DriverEntry),
      driverObject: driverObject(kernel, NULL, 0),
      entryReturned: none,
      unloaded: none,
    };
  }
  const module = kernel.modules.load(file.image, file.name);
  return {
    ...common,
    entry: at(module.base, file.image.entryPoint),
    driverObject: driverObject(kernel, module.base, file.image.sizeOfImage),
    entryReturned: () => kernel.modules.discard(module),
    unloaded: () => kernel.modules.unload(module),
  };
}

/** DRIVER_OBJECT (wdm.h). NDIS owns the dispatch routines; a driver may read them, and put its own before them. */
const DriverObject = { SIZE: 0x150, TYPE: 4, START: 0x18, IMAGE_SIZE: 0x20, MAJOR_FUNCTION: 0x70, COUNT: 28 } as const;

function driverObject({ heap, memory, code }: Kernel, start: Address, size: number): Address {
  const object = heap.allocate(DriverObject.SIZE, 'DRIVER_OBJECT', { fill: 0 });
  memory.writeU16(object, DriverObject.TYPE);
  memory.writeU16(at(object, 2), DriverObject.SIZE);
  memory.writePointer(at(object, DriverObject.START), start);
  memory.writeU32(at(object, DriverObject.IMAGE_SIZE), size);
  const dispatch = code.resolve('ndisDispatchRequest', 'NDIS.SYS');
  for (let i = 0; i < DriverObject.COUNT; i++)
    memory.writePointer(at(object, DriverObject.MAJOR_FUNCTION + 8 * i), dispatch);
  return object;
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
