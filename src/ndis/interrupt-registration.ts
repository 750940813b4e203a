/** What NDIS keeps of a registered interrupt: the driver's handlers, its sources, their locks and DPCs. */
import type { InterruptSource } from '../kernel/hardware.ts';
import type { Context, Coroutine } from '../kernel/scheduler.ts';
import type { Address, Handle } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';

/** The lock that keeps one source's ISR, or all of them, apart from MiniportSynchronizeInterrupt on other processors. */
export class InterruptLock {
  private holder: Context | undefined;

  *take(context: Context, what: string): Coroutine<void> {
    if (this.holder !== undefined) {
      yield { kind: 'wait', what, ready: () => this.holder === undefined, spins: true };
    }
    this.holder = context;
  }

  release(): void {
    this.holder = undefined;
  }

  heldBy(context: Context): boolean {
    return this.holder === context;
  }
}

export interface Connected {
  readonly source: InterruptSource;
  readonly lock: InterruptLock;
  /** Guest memory for QueueDefaultInterruptDpc and TargetProcessors. */
  readonly answers: Address;
}

export interface InterruptDpc {
  readonly message: number;
  readonly processor: number;
  /** Its NDIS_RECEIVE_THROTTLE_PARAMETERS. */
  readonly throttle: Address;
}

/** One NdisMRegisterInterruptEx. */
export class Registration {
  readonly adapter: Adapter;
  readonly handle: Handle;
  readonly context: Handle;
  readonly handlers: Readonly<Record<HandlerName, Address>>;
  readonly messages: boolean;
  readonly connected: readonly Connected[];
  readonly messageTable: Address;
  /** ISRs and synchronised routines that run now. */
  running = 0;
  live = true;
  /** One object for each message and processor: NDIS has one DPC for each such pair (page: ndis-ndismqueuedpcex). */
  private readonly dpcs = new Map<string, InterruptDpc>();

  constructor(
    parts: Pick<
      Registration,
      'adapter' | 'handle' | 'context' | 'handlers' | 'messages' | 'connected' | 'messageTable'
    >,
  ) {
    this.adapter = parts.adapter;
    this.handle = parts.handle;
    this.context = parts.context;
    this.handlers = parts.handlers;
    this.messages = parts.messages;
    this.connected = parts.connected;
    this.messageTable = parts.messageTable;
  }

  dpcOf(message: number, processor: number, throttle: () => Address): InterruptDpc {
    const key = `${message} ${processor}`;
    const known = this.dpcs.get(key) ?? { message, processor, throttle: throttle() };
    this.dpcs.set(key, known);
    return known;
  }

  allDpcs(): Iterable<InterruptDpc> {
    return this.dpcs.values();
  }
}

export const handlerNames = [
  'InterruptHandler',
  'InterruptDpcHandler',
  'DisableInterruptHandler',
  'EnableInterruptHandler',
  'MessageInterruptHandler',
  'MessageInterruptDpcHandler',
  'DisableMessageInterruptHandler',
  'EnableMessageInterruptHandler',
] as const;
export type HandlerName = (typeof handlerNames)[number];
