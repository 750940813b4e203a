/** The ISR and its DPC beside halt: somebody else's interrupt on a shared line is enough. */
import { type Coroutine, header, NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS, type Wdk } from '../../src/index.ts';
import { type Adapter, adapterAt, free, raceMiniport, TAG } from './adapter.ts';
import type { RaceCase } from './case.ts';

function* begin(wdk: Wdk, adapter: Adapter): Coroutine<void> {
  adapter.Buffer = yield* wdk.NdisAllocateMemoryWithTagPriority({
    NdisHandle: adapter.AdapterHandle,
    Length: 64,
    Tag: TAG,
    Priority: 16,
  });
  const characteristics = wdk.local(NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS, {
    Header: header('NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS'),
    InterruptHandler: ((args: {
      MiniportInterruptContext: number;
      QueueDefaultInterruptDpc: { set(v: number): void };
    }) => {
      const mine = adapterAt(wdk, args.MiniportInterruptContext);
      // The last cause it saw: read from where the device would have written it.
      mine.Count += wdk.memory.readU32(mine.Buffer);
      args.QueueDefaultInterruptDpc.set(1);
      return false;
    }) as never,
    InterruptDpcHandler: ((args: { MiniportInterruptContext: number }) => {
      adapterAt(wdk, args.MiniportInterruptContext).Count++;
    }) as never,
    DisableInterruptHandler: (() => {}) as never,
    EnableInterruptHandler: (() => {}) as never,
  });
  wdk.memory.writeU32(adapter.Buffer, 0);
  const { NdisInterruptHandle } = (yield* wdk.NdisMRegisterInterruptEx({
    MiniportAdapterHandle: adapter.AdapterHandle,
    MiniportInterruptContext: adapter.address,
    MiniportInterruptCharacteristics: characteristics.address,
  } as never)) as unknown as { NdisInterruptHandle: number };
  adapter.Interrupt = NdisInterruptHandle as never;
}

const deregister = (wdk: Wdk, { Interrupt }: Adapter): Coroutine<unknown> =>
  wdk.NdisMDeregisterInterruptEx({ NdisInterruptHandle: Interrupt as never });

const deregistersLate: RaceCase = {
  name: 'interrupt: what the ISR uses goes before NdisMDeregisterInterruptEx',
  beside: 'MiniportInterrupt',
  rules: ['halt-deregisters-interrupt-late'],
  hardware: true,
  race: raceMiniport({
    begin,
    *end(wdk, adapter) {
      yield* free(wdk, adapter.Buffer);
      yield* deregister(wdk, adapter);
    },
  }),
  clean: raceMiniport({
    begin,
    *end(wdk, adapter) {
      yield* deregister(wdk, adapter);
      yield* free(wdk, adapter.Buffer);
    },
  }),
};

export const interruptRaces: readonly RaceCase[] = [deregistersLate];
