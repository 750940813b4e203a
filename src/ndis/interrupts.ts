/**
 * A miniport's interrupts: its ISR at the device's IRQL, the DPCs the ISR or the driver asks for, synchronisation with the ISR,
 * and deregistration, which waits until all of them have ended. Pages: ndis-ndismregisterinterruptex,
 * ndis-ndismderegisterinterruptex, ndis-ndismqueuedpcex, ndis-ndismsynchronizewithinterruptex, nc-ndis-miniport_isr.
 */
import type { InterruptSource } from '../kernel/hardware.ts';
import { pointer, type View } from '../kernel/layout.ts';
import {
  ANY,
  type AnyCallback,
  CODE,
  failsWith,
  functionsOf,
  HANDLE,
  IN,
  OUT,
  P,
  POINTER,
  ULONG,
  UP_TO_DIRQL,
} from '../kernel/record.ts';
import { type Coroutine, POINT } from '../kernel/scheduler.ts';
import { Hang } from '../kernel/stops.ts';
import { GROUP_AFFINITY } from '../kernel/structures.ts';
import { type Address, at, DEVICE_LEVEL, type Handle, hex, type Irql, NULL } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { emitFact } from './facts.ts';
import {
  type Connected,
  type HandlerName,
  handlerNames,
  type InterruptDpc,
  InterruptLock,
  Registration,
} from './interrupt-registration.ts';
import {
  InterruptType,
  IO_INTERRUPT_MESSAGE_INFO,
  IO_INTERRUPT_MESSAGE_INFO_ENTRY,
  MiniportDisableInterruptEx,
  MiniportDisableMessageInterrupt,
  MiniportEnableInterruptEx,
  MiniportEnableMessageInterrupt,
  MiniportInterrupt,
  MiniportInterruptDPC,
  MiniportMessageInterrupt,
  MiniportMessageInterruptDPC,
  MiniportSynchronizeInterrupt,
  NDIS_INDICATE_ALL_NBLS,
  NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS,
  NDIS_RECEIVE_THROTTLE_PARAMETERS,
} from './interrupt-structures.ts';
import type { Ndis } from './ndis.ts';
import { headerFault, ObjectType } from './object-header.ts';
import {
  NDIS_STATUS_BAD_CHARACTERISTICS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_RESOURCE_CONFLICT,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

type Characteristics = View<typeof NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS.fields>;

/** What a source's ISR writes its two answers to, and the parameters of its DPC. */
const SCRATCH = 16;
/** Rounds of DPCs that queue DPCs after which draining counts as endless (assumed). */
const MAX_DRAIN = 1000;
/** Where a message is sent on x64: the first processor's local APIC. */
const LOCAL_APIC = 0xfee0_0000;
/** KINTERRUPT_MODE Latched, KINTERRUPT_POLARITY InterruptRisingEdge. */
const LATCHED = 1;
const RISING_EDGE = 2;

/** The routines NDIS calls, for messages and for the line. */
const routines = {
  isr: {
    message: [MiniportMessageInterrupt, 'MessageInterruptHandler'],
    line: [MiniportInterrupt, 'InterruptHandler'],
  },
  dpc: {
    message: [MiniportMessageInterruptDPC, 'MessageInterruptDpcHandler'],
    line: [MiniportInterruptDPC, 'InterruptDpcHandler'],
  },
  disable: {
    message: [MiniportDisableMessageInterrupt, 'DisableMessageInterruptHandler'],
    line: [MiniportDisableInterruptEx, 'DisableInterruptHandler'],
  },
  enable: {
    message: [MiniportEnableMessageInterrupt, 'EnableMessageInterruptHandler'],
    line: [MiniportEnableInterruptEx, 'EnableInterruptHandler'],
  },
} as const;

export class Interrupts {
  private readonly ndis: Ndis;
  private readonly registrations: Registration[] = [];

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** Whether this driver on this adapter would be granted messages. */
  messagesFor(adapter: Adapter | undefined, characteristics: Characteristics): boolean {
    const wanted = characteristics.MsiSupported && characteristics.MessageInterruptHandler !== NULL;
    return wanted && (adapter?.device?.messages.length ?? 0) > 0;
  }

  *register(
    adapter: Adapter,
    context: Handle,
    characteristics: Characteristics,
    messages: boolean,
    handle: (value: Handle) => void,
  ): Coroutine<number> {
    const { kernel } = this.ndis;
    const { device } = adapter;
    const sources = messages ? device?.messages : device?.line === undefined ? [] : [device.line];
    // An adapter without that interrupt: the page names no status; one that is taken cannot be claimed again (assumed).
    if (device === undefined || sources === undefined || sources.length === 0) return NDIS_STATUS_FAILURE;
    if (this.registrations.some((other) => other.live && other.adapter === adapter)) {
      return NDIS_STATUS_RESOURCE_CONFLICT;
    }
    const handlers = Object.fromEntries(handlerNames.map((name) => [name, characteristics[name]])) as Record<
      HandlerName,
      Address
    >;
    const shared = characteristics.MsiSyncWithAllMessages ? new InterruptLock() : undefined;
    const registration = new Registration({
      adapter,
      handle: this.ndis.newHandle('NDIS interrupt handle'),
      context,
      handlers,
      messages,
      connected: sources.map((source) => ({
        source,
        lock: shared ?? new InterruptLock(),
        answers: kernel.heap.allocate(SCRATCH, 'what an ISR answers', { fill: 0 }),
      })),
      messageTable: messages ? this.messageTable(sources, shared !== undefined) : NULL,
    });
    this.registrations.push(registration);
    // Everything the driver gets is written before an interrupt can come: an ISR may run before this call returns (page).
    characteristics.InterruptType = messages ? InterruptType.MessageBased : InterruptType.LineBased;
    characteristics.MessageInfoTable = registration.messageTable;
    handle(registration.handle);
    device.useMessages(messages);
    registration.connected.forEach(({ source }, message) => {
      kernel.hardware.connect(source, {
        irql: DEVICE_LEVEL,
        name: messages ? `interrupt message ${message}` : 'interrupt',
        serve: () => this.serve(registration, message),
      });
    });
    yield POINT;
    return NDIS_STATUS_SUCCESS;
  }

  find(handle: Handle): Registration | undefined {
    return this.registrations.find((registration) => registration.handle === handle && registration.live);
  }

  /** The handle as the driver gave it; a fact when it names no registered interrupt. */
  named(handle: Handle, fn: string): Registration | undefined {
    const registration = this.find(handle);
    if (registration === undefined) {
      const was = this.registrations.some((other) => other.handle === handle);
      emitFact(this.ndis.kernel, 'interrupt-handle-not-valid', {
        fn,
        handle: hex(handle),
        was: was ? 'deregistered' : handle === NULL ? 'NULL' : 'never registered',
      });
    }
    return registration;
  }

  *deregister(handle: Handle): Coroutine<void> {
    const registration = this.find(handle);
    if (registration === undefined) return;
    const { kernel } = this.ndis;
    const { device } = registration.adapter;
    if (device?.present && device.activity().includes('interrupts enabled')) {
      emitFact(kernel, 'interrupt-deregistered-unmasked', { interrupt: hex(handle), device: device.name });
    }
    for (const { source } of registration.connected) kernel.hardware.disconnect(source);
    yield {
      kind: 'wait',
      what: 'the ISR to end',
      ready: () =>
        registration.running === 0 && !registration.connected.some(({ source }) => kernel.hardware.isServing(source)),
      spins: true,
    };
    yield* this.drain(registration);
    const { ordering } = kernel.scheduler;
    for (const { source } of registration.connected) ordering.observe(source);
    for (const dpc of registration.allDpcs()) ordering.observe(dpc);
    registration.live = false;
    for (const { answers } of registration.connected) kernel.heap.free(answers);
    for (const { throttle } of registration.allDpcs()) kernel.heap.free(throttle);
    if (registration.messageTable !== NULL) kernel.heap.free(registration.messageTable);
  }

  /** DPCs that are scheduled still run, and may queue others. */
  private *drain(registration: Registration): Coroutine<void> {
    const { dpcs } = this.ndis.kernel;
    for (let round = 0; ; round++) {
      const busy = [...registration.allDpcs()].filter((dpc) => dpcs.isQueued(dpc) || dpcs.isRunning(dpc));
      if (busy.length === 0) return;
      if (round > MAX_DRAIN)
        throw new Hang('NdisMDeregisterInterruptEx waits for DPCs that queue themselves without end');
      for (const dpc of busy) yield* dpcs.flush(dpc);
    }
  }

  /** The adapter is halted: NDIS calls it no more, whatever the driver left registered. */
  adapterGone(adapter: Adapter): void {
    const { hardware, dpcs } = this.ndis.kernel;
    for (const registration of this.registrations) {
      if (!registration.live || registration.adapter !== adapter) continue;
      registration.live = false;
      for (const { source } of registration.connected) hardware.disconnect(source);
      for (const dpc of registration.allDpcs()) dpcs.remove(dpc);
    }
  }

  /** Queues the DPC of a message on each processor of the mask that does not have it queued; gives those that it did. */
  queueDpcs(registration: Registration, message: number, mask: number, context: Address): number {
    const { dpcs, scheduler } = this.ndis.kernel;
    let queued = 0;
    for (const { number } of scheduler.processors) {
      if ((Math.floor(mask / 2 ** number) & 1) === 0) continue;
      const source = registration.dpcOf(message, number, () => this.throttle());
      const done = dpcs.queue({
        name: registration.messages ? `interrupt DPC of message ${message}` : 'interrupt DPC',
        source,
        processor: number,
        start: () => this.runDpc(registration, source, context),
      });
      if (done) queued += 2 ** number;
    }
    return queued;
  }

  /** Calls a routine of the driver at the device's IRQL with the ISR locked out. */
  *synchronize(registration: Registration, message: number, body: () => Coroutine<boolean>): Coroutine<boolean> {
    const connected = registration.connected[registration.messages ? message : 0];
    if (connected === undefined) {
      emitFact(this.ndis.kernel, 'interrupt-message-not-valid', { message, messages: registration.connected.length });
      return false;
    }
    const { scheduler } = this.ndis.kernel;
    const old = scheduler.irql;
    if (connected.lock.heldBy(scheduler.current)) {
      emitFact(this.ndis.kernel, 'interrupt-lock-taken-twice', { interrupt: hex(registration.handle) });
    }
    if (old < DEVICE_LEVEL) scheduler.setIrql(DEVICE_LEVEL);
    const result = yield* this.locked(registration, connected, body);
    scheduler.setIrql(old);
    return result;
  }

  /** NDIS may disable and enable the adapter's interrupts for diagnosis, at any time (page: nc-ndis-miniport_disable_interrupt). */
  *diagnose(adapter: Adapter, what: 'disable' | 'enable'): Coroutine<void> {
    const registration = this.registrations.find((other) => other.live && other.adapter === adapter);
    if (registration === undefined) return;
    for (const message of registration.connected.keys()) {
      const call = this.call(registration, message, what, {});
      yield* this.synchronize(registration, message, function* () {
        yield* call;
        return true;
      });
    }
  }

  private *locked(registration: Registration, { lock }: Connected, body: () => Coroutine<boolean>): Coroutine<boolean> {
    registration.running++;
    const { ordering } = this.ndis.kernel.scheduler;
    yield* lock.take(this.ndis.kernel.scheduler.current, 'the interrupt’s spin lock');
    ordering.lock(lock);
    const result = yield* body();
    ordering.unlock(lock);
    lock.release();
    registration.running--;
    return result;
  }

  private *serve(registration: Registration, message: number): Coroutine<boolean> {
    const connected = registration.connected[message] as Connected;
    return yield* this.locked(registration, connected, () => this.isr(registration, message, connected));
  }

  private *isr(registration: Registration, message: number, { answers }: Connected): Coroutine<boolean> {
    const { memory, scheduler } = this.ndis.kernel;
    const TargetProcessors = at(answers, 4);
    memory.writeU8(answers, 0);
    memory.writeU32(TargetProcessors, 0);
    const ours = yield* this.call(registration, message, 'isr', {
      QueueDefaultInterruptDpc: answers,
      TargetProcessors,
    });
    // DPCs are scheduled whatever the ISR returned (page: nc-ndis-miniport_isr).
    const here = scheduler.processor.number;
    const mask = memory.readU8(answers) !== 0 ? 2 ** here : memory.readU32(TargetProcessors);
    this.queueDpcs(registration, message, mask, NULL);
    return ours === true;
  }

  private *runDpc(
    registration: Registration,
    { message, processor, throttle }: InterruptDpc,
    context: Address,
  ): Coroutine<void> {
    const parameters = NDIS_RECEIVE_THROTTLE_PARAMETERS.at(this.ndis.kernel.memory, throttle);
    parameters.MaxNblsToIndicate = NDIS_INDICATE_ALL_NBLS;
    parameters.MoreNblsPending = 0;
    yield* this.call(registration, message, 'dpc', {
      MiniportDpcContext: context,
      ReceiveThrottleParameters: throttle,
      NdisReserved2: NULL,
    });
    // A driver that has more to indicate gets another DPC (page: ns-ndis-_ndis_receive_throttle_parameters).
    if (registration.live && (parameters.MoreNblsPending & 1) !== 0) {
      this.queueDpcs(registration, message, 2 ** processor, context);
    }
  }

  /** Calls the driver's routine of that kind: the messages' one, or the line's, which is not told a message. */
  private call(
    { adapter, handlers, context, messages }: Registration,
    message: number,
    kind: keyof typeof routines,
    args: Readonly<Record<string, number>>,
  ): Coroutine<unknown> {
    const [record, handler] = routines[kind][messages ? 'message' : 'line'];
    return this.ndis.kernel.invoker.invoke(
      record as AnyCallback,
      handlers[handler],
      { MiniportInterruptContext: context, ...(messages ? { MessageId: message } : {}), ...args },
      adapter.handle,
    );
  }

  private throttle(): Address {
    return this.ndis.kernel.heap.allocate(NDIS_RECEIVE_THROTTLE_PARAMETERS.size, 'NDIS_RECEIVE_THROTTLE_PARAMETERS');
  }

  private messageTable(sources: readonly InterruptSource[], unified: boolean): Address {
    const { heap, memory } = this.ndis.kernel;
    const entry = IO_INTERRUPT_MESSAGE_INFO_ENTRY;
    const size = IO_INTERRUPT_MESSAGE_INFO.size + sources.length * entry.size;
    const table = heap.allocate(size, 'IO_INTERRUPT_MESSAGE_INFO', { fill: 0 });
    IO_INTERRUPT_MESSAGE_INFO.write(memory, table, {
      UnifiedIrql: unified ? DEVICE_LEVEL : (0 as Irql),
      MessageCount: sources.length,
    });
    sources.forEach(({ vector }, index) => {
      entry.write(memory, at(table, IO_INTERRUPT_MESSAGE_INFO.size + index * entry.size), {
        MessageAddress: LOCAL_APIC as Address,
        TargetProcessorSet: 1 as Address,
        InterruptObject: this.ndis.newHandle('KINTERRUPT'),
        MessageData: vector,
        Vector: vector,
        Irql: DEVICE_LEVEL,
        Mode: LATCHED,
        Polarity: RISING_EDGE,
      });
    });
    return table;
  }
}

/** Without these two NDIS has nothing to call (assumed to be refused); the other six are a rule's business. */
function complete(characteristics: Characteristics): boolean {
  return characteristics.InterruptHandler !== NULL && characteristics.InterruptDpcHandler !== NULL;
}

const f = functionsOf<Ndis>();

export const interruptFunctions = {
  NdisMRegisterInterruptEx: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismregisterinterruptex',
    params: {
      MiniportAdapterHandle: HANDLE,
      MiniportInterruptContext: HANDLE,
      MiniportInterruptCharacteristics: IN(NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS),
      NdisInterruptHandle: OUT(pointer),
    },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'interrupt',
      key: ({ NdisInterruptHandle }) => NdisInterruptHandle.get(),
      owner: ({ MiniportAdapterHandle }) => MiniportAdapterHandle,
      detail: ({ MiniportInterruptCharacteristics: { InterruptType: type, MsiSupported } }) => ({
        InterruptType: type === InterruptType.MessageBased ? 'message-based' : 'line-based',
        MsiSupported,
      }),
    },
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('failure', NDIS_STATUS_FAILURE),
      {
        // The bus has no messages to give: SUCCESS, but InterruptType says line-based.
        id: 'line-based',
        when: ({ MiniportAdapterHandle, MiniportInterruptCharacteristics }, ndis) =>
          ndis.interrupts.messagesFor(ndis.adapterOf(MiniportAdapterHandle), MiniportInterruptCharacteristics) &&
          ndis.adapterOf(MiniportAdapterHandle)?.device?.line !== undefined,
      },
    ],
    *body(ndis, args, { soft }): Coroutine<number> {
      const characteristics = args.MiniportInterruptCharacteristics;
      const adapter = ndis.adapterOf(args.MiniportAdapterHandle);
      if (adapter === undefined) return NDIS_STATUS_FAILURE;
      const size = NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS.end;
      if (headerFault(characteristics.Header, ObjectType.MINIPORT_INTERRUPT, [size]) !== undefined) {
        return NDIS_STATUS_BAD_CHARACTERISTICS;
      }
      if (!complete(characteristics)) return NDIS_STATUS_BAD_CHARACTERISTICS;
      const messages = soft !== 'line-based' && ndis.interrupts.messagesFor(adapter, characteristics);
      return yield* ndis.interrupts.register(
        adapter,
        args.MiniportInterruptContext,
        characteristics,
        messages,
        (handle) => args.NdisInterruptHandle.set(handle),
      );
    },
  }),

  NdisMDeregisterInterruptEx: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismderegisterinterruptex',
    params: { NdisInterruptHandle: HANDLE },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['interrupt'],
      key: ({ NdisInterruptHandle }) => NdisInterruptHandle,
      otherwise: () => undefined,
    },
    *body(ndis, { NdisInterruptHandle }): Coroutine<undefined> {
      yield* ndis.interrupts.deregister(NdisInterruptHandle);
      return undefined;
    },
  }),

  NdisMSynchronizeWithInterruptEx: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismsynchronizewithinterruptex',
    params: {
      NdisInterruptHandle: HANDLE,
      MessageId: ULONG,
      SynchronizeFunction: CODE,
      SynchronizeContext: POINTER,
    },
    returns: 'bool',
    irql: UP_TO_DIRQL,
    *body(ndis, args): Coroutine<boolean> {
      const registration = ndis.interrupts.named(args.NdisInterruptHandle, 'NdisMSynchronizeWithInterruptEx');
      if (registration === undefined) return false;
      return yield* ndis.interrupts.synchronize(registration, args.MessageId, () =>
        ndis.kernel.invoker.invoke(
          MiniportSynchronizeInterrupt,
          args.SynchronizeFunction,
          { SynchronizeContext: args.SynchronizeContext },
          registration.adapter.handle,
        ),
      );
    },
  }),

  NdisMQueueDpc: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismqueuedpc',
    params: { NdisInterruptHandle: HANDLE, MessageId: ULONG, TargetProcessors: ULONG, MiniportDpcContext: POINTER },
    returns: 'u32',
    irql: ANY,
    body(ndis, { NdisInterruptHandle, MessageId, TargetProcessors, MiniportDpcContext }) {
      const registration = ndis.interrupts.named(NdisInterruptHandle, 'NdisMQueueDpc');
      if (registration === undefined) return 0;
      return ndis.interrupts.queueDpcs(registration, MessageId, TargetProcessors, MiniportDpcContext);
    },
  }),

  NdisMQueueDpcEx: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismqueuedpcex',
    params: {
      NdisInterruptHandle: HANDLE,
      MessageId: ULONG,
      TargetProcessors: IN(GROUP_AFFINITY),
      MiniportDpcContext: POINTER,
    },
    returns: 'pointer',
    irql: ANY,
    body(ndis, { NdisInterruptHandle, MessageId, TargetProcessors, MiniportDpcContext }) {
      const registration = ndis.interrupts.named(NdisInterruptHandle, 'NdisMQueueDpcEx');
      if (registration === undefined || TargetProcessors.Group !== 0) return NULL;
      // A full mask is -1 as an address; only the processors there are count.
      const mask = TargetProcessors.Mask < 0 ? 0xffff_ffff : TargetProcessors.Mask;
      return ndis.interrupts.queueDpcs(registration, MessageId, mask, MiniportDpcContext) as Address;
    },
  }),
};
