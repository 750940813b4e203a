/** The range of I/O ports (BAR1). */
import { type Coroutine, NDIS_ERROR_CODE_BAD_IO_BASE_ADDRESS, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import type { Adapter, Nic } from './adapter.ts';

export const ioPorts = {
  *acquire({ wdk }: Nic, adapter: Adapter): Coroutine<number> {
    const { result, PortOffset } = yield* wdk.NdisMRegisterIoPortRange({
      MiniportAdapterHandle: adapter.AdapterHandle,
      InitialPort: adapter.PortsAddress,
      NumberOfPorts: adapter.PortsLength,
    });
    if (result === NDIS_STATUS_SUCCESS) adapter.PortOffset = PortOffset;
    else {
      yield* wdk.NdisWriteErrorLogEntry({
        NdisAdapterHandle: adapter.AdapterHandle,
        ErrorCode: NDIS_ERROR_CODE_BAD_IO_BASE_ADDRESS,
        NumberOfErrorValues: 1,
        ErrorValues: [adapter.PortsAddress],
      });
    }
    return result;
  },

  /** Rules halt-leaks-io-port-range, io-port-range-mismatch: the same values. */
  *release({ wdk }: Nic, adapter: Adapter): Coroutine<void> {
    yield* wdk.NdisMDeregisterIoPortRange({
      MiniportAdapterHandle: adapter.AdapterHandle,
      InitialPort: adapter.PortsAddress,
      NumberOfPorts: adapter.PortsLength,
      PortOffset: adapter.PortOffset,
    });
    adapter.PortOffset = NULL;
  },
};
