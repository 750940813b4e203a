/** What does nothing, what stops, and what talks to the host. */
import type { InstructionRecord } from './record.ts';

export const system: readonly InstructionRecord[] = [
  {
    names: [
      'nop', 'pause', 'endbr64', 'mfence', 'lfence', 'sfence', 'prefetchnta', 'prefetcht0', 'prefetcht1', 'prefetcht2',
      'prefetchw', 'prefetchwt1', 'prefetch', 'reservednop', 'clflush', 'clflushopt', 'clwb',
    ], // biome-ignore format: a list
    lift: () => undefined,
  },
];
