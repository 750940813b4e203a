/** The registers (BAR0). */
import { type Coroutine, NULL } from 'haltex';
import type { Adapter, Nic } from './adapter.ts';

export const ioSpace = {
  *acquire({ wdk }: Nic, adapter: Adapter): Coroutine<number> {
    const { result, VirtualAddress } = yield* wdk.NdisMMapIoSpace({
      MiniportAdapterHandle: adapter.AdapterHandle,
      PhysicalAddress: adapter.RegistersAddress,
      Length: adapter.RegistersLength,
    });
    adapter.Registers = VirtualAddress;
    return result;
  },

  /** Rules halt-leaks-io-space, io-space-mismatch. Nothing touches a register from here on (io-access-after-unmap). */
  *release({ wdk }: Nic, adapter: Adapter): Coroutine<void> {
    yield* wdk.NdisMUnmapIoSpace({
      MiniportAdapterHandle: adapter.AdapterHandle,
      VirtualAddress: adapter.Registers,
      Length: adapter.RegistersLength,
    });
    adapter.Registers = NULL;
  },
};
