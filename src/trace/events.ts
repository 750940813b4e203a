/**
 * The event types that everything else emits or reads. A run of a machine yields one list of them; rules, reports and replay
 * read nothing else. Events are plain data: two runs of one scenario give byte-identical lists.
 */
import type { Address, Handle, Irql, VirtualTime } from './units.ts';

/** Where in the run an event stands. */
export interface Position {
  /** Index in the trace, from 0. */
  readonly seq: number;
  readonly time: VirtualTime;
  readonly processor: number;
  /** What ran: `PnP manager`, `DPC 3`, `system thread 2`, … */
  readonly context: string;
  readonly irql: Irql;
  /** The driver callback the context is inside of, innermost first wins; undefined in NDIS' own code. */
  readonly callback?: string;
  /** The adapter whose callback that is. */
  readonly adapter?: Handle;
}

/**
 * One frame of a call stack, innermost first: the first at the address that runs, the others where their calls return to.
 * In a trace it names what the image itself names; debug information is added when a result is reported (report/symbols.ts).
 */
export interface Frame {
  readonly address: Address;
  /** `nic.sys`, `NDIS.SYS`, or the file of a TypeScript miniport. */
  readonly module: string;
  /** Bytes from the start of the module; lines for TypeScript. */
  readonly offset: number;
  /** Function name where an export, an import, a TypeScript function or debug information gives one. */
  readonly name?: string;
  /** Bytes from the start of that function, where debug information tells. */
  readonly displacement?: number;
  /** Source file and line where debug information gives them. */
  readonly file?: string;
  readonly line?: number;
  /** The function was compiled into the next frame's: both have one address. */
  readonly inlined?: true;
}
/** Frames of a call stack, innermost first. */
export type Stack = readonly Frame[];

/** What an argument or result looks like in the trace: small, printable, comparable. */
export type Value = number | string | boolean | null | { readonly [field: string]: Value } | readonly Value[];

/** A kernel or NDIS function was called by the driver. */
export interface CallEvent {
  readonly kind: 'call';
  readonly fn: string;
  readonly args: Readonly<Record<string, Value>>;
  /** Address the call returns to. */
  readonly caller: Address;
  /** Only for calls at an IRQL their record does not allow. */
  readonly stack?: Stack;
}

/** … and came back. `call` is the `seq` of its CallEvent. */
export interface ReturnEvent {
  readonly kind: 'return';
  readonly fn: string;
  readonly call: number;
  readonly result: Value;
  /** Set when haltex made this call fail on purpose. */
  readonly injected?: string;
}

/** Kinds of things a driver acquires and owes. Each has its rules in contract/ (`halt-leaks-…`). */
export type ResourceKind = string;

/** Something that must be undone now exists. */
export interface AcquireEvent {
  readonly kind: 'acquire';
  /** Counts up from 1 within a run. */
  readonly resource: number;
  readonly type: ResourceKind;
  /** What the undoing call names it by: a handle, an address, a port number. */
  readonly key: string;
  /** The function that gave it. */
  readonly fn: string;
  /** The NDIS handle it was made with, where it takes one. */
  readonly owner?: Handle;
  /** The arguments its undo must repeat, and what helps to recognise it. */
  readonly detail: Readonly<Record<string, Value>>;
  readonly stack: Stack;
}

export type UndoOutcome =
  /** It was live, everything matched, it is gone. */
  | 'undone'
  /** It was live and is gone, but the named arguments differ from the acquisition's. */
  | 'mismatch'
  /** It was live and the call refused (a status said so): it is still live. */
  | 'refused'
  /** It had been undone before. */
  | 'again'
  /** Nothing of this type was ever acquired under that key. */
  | 'never';

/** The driver asked for something to be undone. */
export interface UndoEvent {
  readonly kind: 'undo';
  readonly outcome: UndoOutcome;
  readonly type: ResourceKind;
  readonly key: string;
  readonly fn: string;
  /** The resource, where one was found. */
  readonly resource?: number;
  /** Names of the arguments that differ, for `mismatch`. */
  readonly differs?: readonly string[];
  readonly detail: Readonly<Record<string, Value>>;
  readonly stack: Stack;
}

/** NDIS or the kernel called the driver. */
export interface EnterEvent {
  readonly kind: 'enter';
  readonly callback: string;
  readonly args: Readonly<Record<string, Value>>;
  readonly address: Address;
}

export interface LeaveEvent {
  readonly kind: 'leave';
  readonly callback: string;
  /** `seq` of its EnterEvent. */
  readonly enter: number;
  readonly result: Value;
  /** Set when the callback did not return: an exception left it for a handler further out. */
  readonly raised?: true;
  /** IRQL at entry where it differs from the one at return. */
  readonly irqlAtEntry?: Irql;
  /** Addresses of spin locks the callback took and still holds. */
  readonly locksHeld?: readonly Address[];
}

export type AdapterState = 'Halted' | 'Shutdown' | 'Initializing' | 'Paused' | 'Restarting' | 'Running' | 'Pausing';

export interface StateEvent {
  readonly kind: 'state';
  readonly of: Handle;
  readonly from: AdapterState;
  readonly to: AdapterState;
  readonly event: string;
}

/** The block of memory around an address, as the heap knows it. */
export interface BlockInfo {
  readonly what: string;
  readonly address: Address;
  readonly size: number;
  /** Bytes from the start of the block to the access; negative or ≥ size when outside. */
  readonly offset: number;
  readonly state: 'live' | 'freed';
  readonly allocated: Stack;
  readonly freed?: Stack;
}

/** The driver (or the device on its behalf) touched memory it may not touch. */
export interface FaultEvent {
  readonly kind: 'fault';
  readonly by: 'driver' | 'device' | 'kernel';
  readonly access: 'read' | 'write' | 'execute';
  readonly address: Address;
  readonly size: number;
  readonly why:
    | 'null'
    | 'unmapped'
    | 'freed'
    | 'guard'
    | 'read-only'
    | 'pageable'
    | 'stack-overflow'
    | 'device-gone'
    | 'user'
    | 'not-code';
  readonly block?: BlockInfo;
  readonly stack: Stack;
}

/** Something a rule needs to see that no call or callback shows; `what` names it, `detail` is its data. */
export interface FactEvent {
  readonly kind: 'fact';
  readonly what: string;
  readonly detail: Readonly<Record<string, Value>>;
  readonly stack?: Stack;
}

export type StopReason =
  /** The scenario was played to its end. */
  | 'finished'
  /** Windows would have bugchecked; the fact or fault before it says why. */
  | 'bugcheck'
  /** Nothing can run any more, or the virtual-time or instruction budget of a callback is used up. */
  | 'hang'
  /** haltex lacks something the run needs. */
  | 'unsupported';

/** The last event of every trace. */
export interface StopEvent {
  readonly kind: 'stop';
  readonly reason: StopReason;
  /** One sentence. */
  readonly text: string;
  /** For `unsupported`: the function, instruction or structure we lack. For `bugcheck`: its code as hex. */
  readonly name?: string;
  readonly stack?: Stack;
}

export type EventBody =
  | CallEvent
  | ReturnEvent
  | AcquireEvent
  | UndoEvent
  | EnterEvent
  | LeaveEvent
  | StateEvent
  | FaultEvent
  | FactEvent
  | StopEvent;

/** One event of a trace: where it stands, and what happened. */
export type TraceEvent = Position & EventBody;

/** A TraceEvent of one kind. */
export type EventOf<K extends EventBody['kind']> = Position & Extract<EventBody, { kind: K }>;
