/** Loading the driver. */
import { type Address, defineMiniport, type Handler, type Miniport, NULL } from 'haltex';
import type { Nic } from './adapter.ts';
import { type Parts, parts } from './parts.ts';

/** The driver, with the parts a twin replaces. */
export function nicMiniport(replaced: Partial<Parts> = {}): Miniport {
  return defineMiniport((wdk) => {
    const nic: Nic = { wdk, parts: { ...parts, ...replaced } };
    let driver: Address = NULL;
    const DriverEntry: Handler<'DriverEntry'> = function* ({ DriverObject, RegistryPath }) {
      const { result, NdisMiniportDriverHandle } = yield* wdk.NdisMRegisterMiniportDriver({
        DriverObject,
        RegistryPath,
        MiniportDriverContext: NULL,
        MiniportDriverCharacteristics: nic.parts.entry.characteristics(nic, () => nic.parts.entry.unload(nic, driver)),
      });
      driver = NdisMiniportDriverHandle;
      // Rule driverentry-status-lost: what NDIS says is what the loader is told.
      return result;
    };
    return { DriverEntry };
  });
}
