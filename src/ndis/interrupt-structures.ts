/** Structures and prototypes around a miniport's interrupts. Member order: ndis.h and wdm.h of the 10.0.16299 kit for x64. */
import { bool8, code, pointer, struct, u8, u32 } from '../kernel/layout.ts';
import { callback, HANDLE, OUT, POINTER, ULONG } from '../kernel/record.ts';
import { DEVICE_LEVEL, DISPATCH_LEVEL } from '../trace/units.ts';
import { NDIS_OBJECT_HEADER } from './object-header.ts';

export const NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS = struct('NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS', {
  Header: NDIS_OBJECT_HEADER,
  InterruptHandler: code,
  InterruptDpcHandler: code,
  DisableInterruptHandler: code,
  EnableInterruptHandler: code,
  MsiSupported: bool8,
  MsiSyncWithAllMessages: bool8,
  MessageInterruptHandler: code,
  MessageInterruptDpcHandler: code,
  DisableMessageInterruptHandler: code,
  EnableMessageInterruptHandler: code,
  InterruptType: u32,
  MessageInfoTable: pointer,
});

/** NDIS_INTERRUPT_TYPE. */
export const InterruptType = { LineBased: 1, MessageBased: 2 } as const;

export const IO_INTERRUPT_MESSAGE_INFO_ENTRY = struct('IO_INTERRUPT_MESSAGE_INFO_ENTRY', {
  MessageAddress: pointer,
  TargetProcessorSet: pointer,
  InterruptObject: pointer,
  MessageData: u32,
  Vector: u32,
  Irql: u8,
  Mode: u32,
  Polarity: u32,
});

/** The entries follow. */
export const IO_INTERRUPT_MESSAGE_INFO = struct('IO_INTERRUPT_MESSAGE_INFO', { UnifiedIrql: u8, MessageCount: u32 });

/** NDIS_RECEIVE_THROTTLE_PARAMETERS; MoreNblsPending is bit 0. */
export const NDIS_RECEIVE_THROTTLE_PARAMETERS = struct('NDIS_RECEIVE_THROTTLE_PARAMETERS', {
  MaxNblsToIndicate: u32,
  MoreNblsPending: u32,
});
export const NDIS_INDICATE_ALL_NBLS = 0xffff_ffff;

/** IRQL the routines below are called at. The kit's annotations say HIGH_LEVEL, which stands for the device's own. */
const AT_DEVICE = { min: DEVICE_LEVEL, max: DEVICE_LEVEL };
const AT_DISPATCH = { min: DISPATCH_LEVEL, max: DISPATCH_LEVEL };

const MiniportInterruptContext = HANDLE;
const answers = { QueueDefaultInterruptDpc: OUT(u8), TargetProcessors: OUT(u32) };
const dpc = { MiniportDpcContext: POINTER, ReceiveThrottleParameters: POINTER, NdisReserved2: POINTER };

export const MiniportInterrupt = callback({
  name: 'MiniportInterrupt',
  page: 'nc-ndis-miniport_isr',
  params: { MiniportInterruptContext, ...answers },
  returns: 'bool',
  irql: AT_DEVICE,
});
export const MiniportMessageInterrupt = callback({
  name: 'MiniportMessageInterrupt',
  page: 'nc-ndis-miniport_message_interrupt',
  params: { MiniportInterruptContext, MessageId: ULONG, ...answers },
  returns: 'bool',
  irql: AT_DEVICE,
});
export const MiniportInterruptDPC = callback({
  name: 'MiniportInterruptDPC',
  page: 'nc-ndis-miniport_interrupt_dpc',
  params: { MiniportInterruptContext, ...dpc },
  returns: 'void',
  irql: AT_DISPATCH,
});
export const MiniportMessageInterruptDPC = callback({
  name: 'MiniportMessageInterruptDPC',
  page: 'nc-ndis-miniport_message_interrupt_dpc',
  params: { MiniportInterruptContext, MessageId: ULONG, ...dpc },
  returns: 'void',
  irql: AT_DISPATCH,
});
export const MiniportDisableInterruptEx = callback({
  name: 'MiniportDisableInterruptEx',
  page: 'nc-ndis-miniport_disable_interrupt',
  params: { MiniportInterruptContext },
  returns: 'void',
  irql: AT_DEVICE,
});
export const MiniportEnableInterruptEx = callback({
  name: 'MiniportEnableInterruptEx',
  page: 'nc-ndis-miniport_enable_interrupt',
  params: { MiniportInterruptContext },
  returns: 'void',
  irql: AT_DEVICE,
});
export const MiniportDisableMessageInterrupt = callback({
  name: 'MiniportDisableMessageInterrupt',
  page: 'nc-ndis-miniport_disable_message_interrupt',
  params: { MiniportInterruptContext, MessageId: ULONG },
  returns: 'void',
  irql: AT_DEVICE,
});
export const MiniportEnableMessageInterrupt = callback({
  name: 'MiniportEnableMessageInterrupt',
  page: 'nc-ndis-miniport_enable_message_interrupt',
  params: { MiniportInterruptContext, MessageId: ULONG },
  returns: 'void',
  irql: AT_DEVICE,
});
export const MiniportSynchronizeInterrupt = callback({
  name: 'MiniportSynchronizeInterrupt',
  page: 'nc-ndis-miniport_synchronize_interrupt',
  params: { SynchronizeContext: HANDLE },
  returns: 'bool',
  irql: AT_DEVICE,
});
