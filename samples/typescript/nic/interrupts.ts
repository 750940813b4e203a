/**
 * The interrupt: messages when NDIS grants them, the line otherwise. Both ways the ISR masks the whole NIC and keeps the
 * causes; the DPC handles them and takes the mask off.
 */
import {
  type Coroutine,
  type Handle,
  type Handler,
  header,
  NDIS_ERROR_CODE_INTERRUPT_CONNECT,
  NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS,
  NDIS_STATUS_SUCCESS,
} from 'haltex';
import { type Adapter, adapterAt, type Nic } from './adapter.ts';
import { Cause, GONE, Register, read, ready, write } from './hardware.ts';

/** DIRQL: nothing here may call NDIS. */
const isrs = (nic: Nic) => {
  const MiniportInterrupt: Handler<'MiniportInterrupt'> = ({
    MiniportInterruptContext,
    QueueDefaultInterruptDpc,
    TargetProcessors,
  }) => {
    const ours = nic.parts.interrupts.takeCauses(nic, adapterAt(nic, MiniportInterruptContext));
    QueueDefaultInterruptDpc.set(ours ? 1 : 0);
    TargetProcessors.set(0);
    return ours;
  };
  const MiniportMessageInterrupt: Handler<'MiniportMessageInterrupt'> = (args) => {
    const ours = nic.parts.interrupts.takeCauses(nic, adapterAt(nic, args.MiniportInterruptContext));
    args.QueueDefaultInterruptDpc.set(ours ? 1 : 0);
    args.TargetProcessors.set(0);
    // A message is nobody else's.
    return true;
  };
  const mask = (context: Handle) => write(nic, adapterAt(nic, context), Register.IMC, Cause.ALL);
  const unmask = (context: Handle) => {
    const adapter = adapterAt(nic, context);
    if (adapter.InterruptsOn) write(nic, adapter, Register.IMS, Cause.WANTED);
  };
  const MiniportDisableInterruptEx: Handler<'MiniportDisableInterruptEx'> = (args) =>
    mask(args.MiniportInterruptContext);
  const MiniportEnableInterruptEx: Handler<'MiniportEnableInterruptEx'> = (args) =>
    unmask(args.MiniportInterruptContext);
  return { MiniportInterrupt, MiniportMessageInterrupt, MiniportDisableInterruptEx, MiniportEnableInterruptEx };
};

/** DISPATCH_LEVEL, for the line and for messages alike. */
const dpcOf = (nic: Nic) =>
  function* MiniportInterruptDPC({ MiniportInterruptContext }: { MiniportInterruptContext: Handle }) {
    const adapter = adapterAt(nic, MiniportInterruptContext);
    const causes = adapter.Causes;
    adapter.Causes = 0;
    if ((causes & Cause.RX) !== 0) yield* nic.parts.receive.handle(nic, adapter);
    if ((causes & Cause.TX) !== 0) yield* nic.parts.send.handle(nic, adapter);
    if ((causes & Cause.LINK) !== 0) yield* nic.parts.link.update(nic, adapter);
    yield* nic.wdk.locked(adapter.Lock, () => {
      if (adapter.InterruptsOn) write(nic, adapter, Register.IMS, Cause.WANTED);
    });
  };

export const interrupts = {
  /** Rule interrupt-registered-too-early: registers, rings and locks exist; the ISR may run before the call returns. */
  *acquire(nic: Nic, adapter: Adapter): Coroutine<number> {
    const { wdk } = nic;
    const isr = isrs(nic);
    const dpc = dpcOf(nic);
    const characteristics = wdk.local(NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS, {
      Header: header('NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS'),
      // Rule msi-without-line-handlers: NDIS may grant the line only.
      InterruptHandler: isr.MiniportInterrupt,
      InterruptDpcHandler: dpc,
      DisableInterruptHandler: isr.MiniportDisableInterruptEx,
      EnableInterruptHandler: isr.MiniportEnableInterruptEx,
      MsiSupported: true,
      MsiSyncWithAllMessages: true,
      MessageInterruptHandler: isr.MiniportMessageInterrupt,
      MessageInterruptDpcHandler: dpc,
      DisableMessageInterruptHandler: isr.MiniportDisableInterruptEx,
      EnableMessageInterruptHandler: isr.MiniportEnableInterruptEx,
    });
    const { result, NdisInterruptHandle } = yield* wdk.NdisMRegisterInterruptEx({
      MiniportAdapterHandle: adapter.AdapterHandle,
      MiniportInterruptContext: adapter.address,
      MiniportInterruptCharacteristics: characteristics,
    });
    if (result !== NDIS_STATUS_SUCCESS) {
      yield* wdk.NdisWriteErrorLogEntry({
        NdisAdapterHandle: adapter.AdapterHandle,
        ErrorCode: NDIS_ERROR_CODE_INTERRUPT_CONNECT,
        NumberOfErrorValues: 1,
        ErrorValues: [result],
      });
      return result;
    }
    adapter.InterruptHandle = NdisInterruptHandle;
    // Rule init-misses-interrupt-type.
    adapter.InterruptType = characteristics.InterruptType;
    return NDIS_STATUS_SUCCESS;
  },

  /** Rule halt-leaks-interrupt. When it returns no ISR and no DPC of ours runs, nor will. */
  *release({ wdk }: Nic, adapter: Adapter): Coroutine<void> {
    yield* wdk.NdisMDeregisterInterruptEx({ NdisInterruptHandle: adapter.InterruptHandle });
  },

  *enable(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* nic.wdk.locked(adapter.Lock, () => {
      adapter.InterruptsOn = true;
      write(nic, adapter, Register.IMS, Cause.WANTED);
    });
  },

  /** Rule halt-deregisters-with-nic-interrupting. From here on the DPC leaves the NIC masked. */
  *disable(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* nic.wdk.locked(adapter.Lock, () => {
      adapter.InterruptsOn = false;
      write(nic, adapter, Register.IMC, Cause.ALL);
    });
  },

  /**
   * DIRQL. Rule isr-claims-foreign-interrupt: with everything masked the NIC cannot have interrupted, and then ICR is not read
   * either, for reading it clears the causes.
   */
  takeCauses(nic: Nic, adapter: Adapter): boolean {
    if (!ready(adapter) || read(nic, adapter, Register.IMS) === 0) return false;
    const causes = read(nic, adapter, Register.ICR);
    if (causes === 0 || causes === GONE) return false;
    write(nic, adapter, Register.IMC, Cause.ALL);
    adapter.Causes |= causes;
    return true;
  },
};
