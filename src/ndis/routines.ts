/** Every routine of a driver that NDIS calls, by its documented name: what a TypeScript miniport types its handlers with. */
import type { NativeCallback } from '../kernel/record.ts';
import * as miniport from './callbacks.ts';
import { MiniportProcessSGList, MiniportSharedMemoryAllocateComplete } from './dma-structures.ts';
import {
  MiniportDisableInterruptEx,
  MiniportDisableMessageInterrupt,
  MiniportEnableInterruptEx,
  MiniportEnableMessageInterrupt,
  MiniportInterrupt,
  MiniportInterruptDPC,
  MiniportMessageInterrupt,
  MiniportMessageInterruptDPC,
  MiniportSynchronizeInterrupt,
} from './interrupt-structures.ts';
import { NetTimerCallback } from './timers.ts';
import { NDIS_IO_WORKITEM_FUNCTION } from './work-items.ts';

export const routines = {
  ...miniport,
  MiniportDisableInterruptEx,
  MiniportDisableMessageInterrupt,
  MiniportEnableInterruptEx,
  MiniportEnableMessageInterrupt,
  MiniportInterrupt,
  MiniportInterruptDPC,
  MiniportMessageInterrupt,
  MiniportMessageInterruptDPC,
  MiniportProcessSGList,
  MiniportSharedMemoryAllocateComplete,
  MiniportSynchronizeInterrupt,
  NetTimerCallback,
  NDIS_IO_WORKITEM_FUNCTION,
};

/** Routines that drivers have, by the names of Microsoft's pages: `MiniportHaltEx`, `NetTimerCallback`. */
export type RoutineName = keyof typeof routines;
/** `const MiniportHaltEx: Handler<'MiniportHaltEx'> = function* ({ MiniportAdapterContext, HaltAction }) { … }`. */
export type Handler<Name extends RoutineName> = NativeCallback<(typeof routines)[Name]>;
