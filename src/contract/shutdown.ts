/** What MiniportShutdownEx may not do when NDIS calls it: contract.md B3, Q2, Q10. */
import { family, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

type Id = 'shutdown-frees-resources' | 'shutdown-frees-shared-memory';

export const shutdown = family(
  [
    [
      'shutdown-frees-resources',
      'note',
      'MiniportShutdownEx releases resources',
      'I:miniport_shutdown',
      'N:miniport-adapter-shutdown',
    ],
    [
      'shutdown-frees-shared-memory',
      'error',
      'MiniportShutdownEx calls NdisMFreeSharedMemory',
      'I:ndismfreesharedmemory',
      'D:ndis-ndismfreesharedmemory',
    ],
  ],
  function* (view: TraceView): Iterable<Violation & { rule: Id }> {
    for (const undo of view.of('undo')) {
      if (undo.callback !== 'MiniportShutdownEx') continue;
      const shared = undo.type === 'shared-memory' || undo.type === 'shared-memory-async';
      yield {
        rule: shared ? 'shutdown-frees-shared-memory' : 'shutdown-frees-resources',
        seq: undo.seq,
        message: `MiniportShutdownEx calls ${undo.fn}; at shutdown a driver stops its NIC and frees nothing.`,
        stack: undo.stack,
      };
    }
  },
);
