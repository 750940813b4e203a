/** Every kernel and HAL function we have, by name. A family joins by one line. */

import { bitmapFunctions } from './bitmaps.ts';
import { executiveResourceFunctions, mutexFunctions, pushLockFunctions } from './blocking-locks.ts';
import { bugCheckCallbackFunctions } from './bug-check-callbacks.ts';
import { cStringFunctions } from './c-strings.ts';
import { callbackFunctions } from './callbacks.ts';
import { cancelSafeQueueFunctions } from './cancel-safe-queues.ts';
import { contiguousMemoryFunctions } from './contiguous-memory.ts';
import { devicePropertyFunctions } from './device-properties.ts';
import { deviceQueueFunctions } from './device-queues.ts';
import { dmaAdapterFunctions } from './dma-adapters.ts';
import { dpcFunctions } from './dpcs.ts';
import { errorLogFunctions } from './error-log.ts';
import { etwFunctions } from './etw.ts';
import { exTimerFunctions } from './ex-timers.ts';
import { executiveSpinLockFunctions } from './executive-spin-locks.ts';
import { executiveWorkItemFunctions } from './executive-work-items.ts';
import { fileFunctions } from './files.ts';
import { genericTableFunctions } from './generic-tables.ts';
import { interlockedListFunctions } from './interlocked-lists.ts';
import { interruptObjectFunctions } from './interrupt-objects.ts';
import { ioDeviceFunctions } from './io-device-functions.ts';
import { ioMappingFunctions } from './io-mappings.ts';
import { ioTimerFunctions } from './io-timers.ts';
import { ioWorkItemFunctions } from './io-work-items.ts';
import { ipiFunctions } from './ipi.ts';
import { irpFunctions } from './irp-functions.ts';
import { irqlFunctions } from './irql.ts';
import { lookasideFunctions } from './lookaside.ts';
import { mdlFunctions } from './mdl.ts';
import { memoryFunctions } from './memory-routines.ts';
import { namedEventFunctions } from './named-events.ts';
import { notificationFunctions } from './notifications.ts';
import { objectManagerFunctions } from './object-manager.ts';
import { objectFunctions } from './objects.ts';
import { pageableSectionFunctions } from './pageable-sections.ts';
import { poolFunctions } from './pool.ts';
import { powerSettingFunctions } from './power-settings.ts';
import { printingFunctions } from './printing.ts';
import { probeFunctions } from './probes.ts';
import { processFunctions } from './processes.ts';
import { processorFunctions } from './processor-information.ts';
import { registryFunctions } from './registry-functions.ts';
import { registryQueryFunctions } from './registry-query.ts';
import { removeLockFunctions } from './remove-locks.ts';
import { runOnceFunctions } from './run-once.ts';
import { rundownFunctions } from './rundown-protection.ts';
import { secureCStringFunctions } from './secure-c-strings.ts';
import { securityFunctions } from './security.ts';
import { sehFunctions } from './seh.ts';
import { spinLockFunctions } from './spin-locks.ts';
import { stringFunctions } from './strings.ts';
import { systemFunctions } from './system.ts';
import { systemInformationFunctions } from './system-information.ts';
import { textConversionFunctions } from './text-conversions.ts';
import { threadFunctions } from './thread-functions.ts';
import { timeFunctions } from './time.ts';
import { timerFunctions } from './timers.ts';
import { waitFunctions } from './waits.ts';
import { wppRecorderFunctions } from './wpp-recorder.ts';

export const kernelFunctions = {
  ...securityFunctions,
  ...fileFunctions,
  ...processFunctions,
  ...cancelSafeQueueFunctions,
  ...removeLockFunctions,
  ...textConversionFunctions,
  ...notificationFunctions,
  ...namedEventFunctions,
  ...callbackFunctions,
  ...bugCheckCallbackFunctions,
  ...errorLogFunctions,
  ...etwFunctions,
  ...bitmapFunctions,
  ...irpFunctions,
  ...ioDeviceFunctions,
  ...registryQueryFunctions,
  ...registryFunctions,
  ...systemFunctions,
  ...systemInformationFunctions,
  ...processorFunctions,
  ...timeFunctions,
  ...ioWorkItemFunctions,
  ...ioTimerFunctions,
  ...genericTableFunctions,
  ...ipiFunctions,
  ...ioMappingFunctions,
  ...mdlFunctions,
  ...cStringFunctions,
  ...contiguousMemoryFunctions,
  ...executiveResourceFunctions,
  ...mutexFunctions,
  ...pushLockFunctions,
  ...exTimerFunctions,
  ...executiveSpinLockFunctions,
  ...interlockedListFunctions,
  ...irqlFunctions,
  ...lookasideFunctions,
  ...rundownFunctions,
  ...dpcFunctions,
  ...objectFunctions,
  ...objectManagerFunctions,
  ...poolFunctions,
  ...memoryFunctions,
  ...printingFunctions,
  ...probeFunctions,
  ...sehFunctions,
  ...spinLockFunctions,
  ...stringFunctions,
  ...threadFunctions,
  ...timerFunctions,
  ...waitFunctions,
  ...dmaAdapterFunctions,
  ...devicePropertyFunctions,
  ...deviceQueueFunctions,
  ...executiveWorkItemFunctions,
  ...interruptObjectFunctions,
  ...pageableSectionFunctions,
  ...runOnceFunctions,
  ...powerSettingFunctions,
  ...secureCStringFunctions,
  ...wppRecorderFunctions,
};
