/** The driver's parts by name: a broken twin is this driver with one of them replaced. */
import { asyncMemory } from './async-memory.ts';
import { attributes } from './attributes.ts';
import { configuration } from './configuration.ts';
import { dma } from './dma.ts';
import { entry } from './entry.ts';
import { halt } from './halt.ts';
import { hardware } from './hardware.ts';
import { initialize } from './initialize.ts';
import { interrupts } from './interrupts.ts';
import { ioPorts } from './io-ports.ts';
import { ioSpace } from './io-space.ts';
import { link } from './link.ts';
import { memory } from './memory.ts';
import { oids } from './oids.ts';
import { pausing } from './pausing.ts';
import { pending } from './pending.ts';
import { pnp } from './pnp.ts';
import { pools } from './pools.ts';
import { ports } from './ports.ts';
import { receive } from './receive.ts';
import { receiveBuffers } from './receive-buffers.ts';
import { send } from './send.ts';
import { sharedMemory } from './shared-memory.ts';
import { timers } from './timers.ts';
import { workItems } from './work-items.ts';

export const parts = {
  asyncMemory,
  attributes,
  configuration,
  dma,
  entry,
  halt,
  hardware,
  initialize,
  interrupts,
  ioPorts,
  ioSpace,
  link,
  memory,
  oids,
  pausing,
  pending,
  pnp,
  pools,
  ports,
  receive,
  receiveBuffers,
  send,
  sharedMemory,
  timers,
  workItems,
};
export type Parts = typeof parts;
