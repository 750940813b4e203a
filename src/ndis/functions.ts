/** Every NDIS function we have, by name. A family joins by one line. */
import { attributeFunctions } from './attributes.ts';
import { busDataFunctions } from './bus-data.ts';
import { cloneOidFunctions } from './clone-oids.ts';
import { configurationFunctions } from './configuration.ts';
import { dataPathFunctions } from './data-path.ts';
import { derivedListFunctions } from './derived-net-buffer-lists.ts';
import { deviceObjectFunctions } from './device-objects.ts';
import { dmaChannelFunctions } from './dma-channels.ts';
import { driverFunctions } from './driver.ts';
import { errorLogFunctions } from './error-log.ts';
import { eventFunctions } from './events.ts';
import { fileFunctions } from './files.ts';
import { genericObjectFunctions } from './generic-objects.ts';
import { idleNotificationFunctions } from './idle-notifications.ts';
import { instanceNameFunctions } from './instance-names.ts';
import { interfaceFunctions } from './interfaces.ts';
import { interruptFunctions } from './interrupts.ts';
import { ioPortFunctions } from './io-ports.ts';
import { ioSpaceFunctions } from './io-space.ts';
import { legacyTimerFunctions } from './legacy-timers.ts';
import { lifecycleFunctions } from './lifecycle.ts';
import { logFunctions } from './logs.ts';
import { lookasideFunctions } from './lookaside.ts';
import { ndisMdlFunctions } from './mdls.ts';
import { memoryFunctions } from './memory.ts';
import { ndis5Functions } from './ndis5.ts';
import { dataStartFunctions } from './net-buffer-data-start.ts';
import { netBufferListFunctions } from './net-buffer-lists.ts';
import { netBufferPoolFunctions } from './net-buffer-pools.ts';
import { netBufferFunctions } from './net-buffers.ts';
import { oidFunctions } from './oids.ts';
import { portFunctions } from './ports.ts';
import { processorFunctions } from './processors.ts';
import { resetFunctions } from './reset.ts';
import { rwLockFunctions } from './rw-locks.ts';
import { scatterGatherDmaFunctions } from './scatter-gather-dma.ts';
import { sharedMemoryFunctions } from './shared-memory.ts';
import { spinLockFunctions } from './spin-locks.ts';
import { statusIndicationFunctions } from './status-indications.ts';
import { stringFunctions } from './strings.ts';
import { systemFunctions } from './system.ts';
import { timerFunctions } from './timers.ts';
import { virtualizationFunctions } from './virtualization.ts';
import { workItemFunctions } from './work-items.ts';

export const ndisFunctions = {
  ...attributeFunctions,
  ...dataPathFunctions,
  ...dataStartFunctions,
  ...derivedListFunctions,
  ...ndisMdlFunctions,
  ...netBufferFunctions,
  ...netBufferListFunctions,
  ...netBufferPoolFunctions,
  ...resetFunctions,
  ...statusIndicationFunctions,
  ...driverFunctions,
  ...busDataFunctions,
  ...dmaChannelFunctions,
  ...interruptFunctions,
  ...ioPortFunctions,
  ...ioSpaceFunctions,
  ...lifecycleFunctions,
  ...scatterGatherDmaFunctions,
  ...sharedMemoryFunctions,
  ...oidFunctions,
  ...eventFunctions,
  ...genericObjectFunctions,
  ...legacyTimerFunctions,
  ...memoryFunctions,
  ...rwLockFunctions,
  ...spinLockFunctions,
  ...timerFunctions,
  ...workItemFunctions,
  ...cloneOidFunctions,
  ...configurationFunctions,
  ...errorLogFunctions,
  ...fileFunctions,
  ...idleNotificationFunctions,
  ...instanceNameFunctions,
  ...interfaceFunctions,
  ...logFunctions,
  ...ndis5Functions,
  ...processorFunctions,
  ...stringFunctions,
  ...systemFunctions,
  ...deviceObjectFunctions,
  ...lookasideFunctions,
  ...virtualizationFunctions,
  ...portFunctions,
};
