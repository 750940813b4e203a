/**
 * A routine on every processor at once, at IPI_LEVEL. Here one processor after the other takes it as an interrupt; the caller
 * goes on when all are through. Page: wdm-keipigenericcall.
 */
import type { Irql } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { CODE, callback, D, functionsOf, POINTER } from './record.ts';

const IPI_LEVEL = 14 as Irql;

export const KIPI_BROADCAST_WORKER = callback({
  name: 'BroadcastFunction',
  page: 'nc-wdm-kipi_broadcast_worker',
  params: { Argument: POINTER },
  returns: 'u64',
  irql: { min: IPI_LEVEL, max: IPI_LEVEL },
});

const f = functionsOf<Kernel>();

export const ipiFunctions = {
  KeIpiGenericCall: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keipigenericcall',
    params: { BroadcastFunction: CODE, Context: POINTER },
    returns: 'u64',
    irql: D,
    *body({ scheduler, invoker }, { BroadcastFunction, Context }) {
      const call = () => invoker.invoke(KIPI_BROADCAST_WORKER, BroadcastFunction, { Argument: Context });
      const others = scheduler.processors.filter((processor) => processor !== scheduler.processor);
      const source = { left: others.length };
      for (const processor of others) {
        processor.interrupts.push({
          name: 'interprocessor interrupt',
          irql: IPI_LEVEL,
          source,
          *start() {
            yield* call();
            source.left--;
          },
        });
      }
      const before = scheduler.irql;
      scheduler.setIrql(IPI_LEVEL);
      const result = yield* call();
      const ready = () => source.left === 0;
      if (!ready()) yield { kind: 'wait', what: 'the other processors', ready, spins: true };
      scheduler.setIrql(before);
      return result;
    },
  }),
};
