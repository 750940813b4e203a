/**
 * Raising and lowering the IRQL. Lowering lets what waits in at the next step.
 * Pages: wdm-keraiseirql, wdm-kelowerirql and their neighbours.
 */
import { DISPATCH_LEVEL, HIGH_LEVEL, type Irql, irqlName } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { u8 } from './layout.ts';
import { ANY, D, functionsOf, OUT, UCHAR } from './record.ts';
import { BugCheck } from './stops.ts';

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';
const IRQL_NOT_GREATER_OR_EQUAL = 0x09;
const IRQL_NOT_LESS_OR_EQUAL = 0x0a;

function raise({ scheduler, trace }: Kernel, to: number): Irql {
  const from = scheduler.irql;
  if (to < from || to > HIGH_LEVEL) {
    trace.emit({ kind: 'fact', what: 'irql-raised-downwards', detail: { from, to } });
    throw new BugCheck(IRQL_NOT_GREATER_OR_EQUAL, `KeRaiseIrql to ${irqlName(to)} at ${irqlName(from)}`);
  }
  return scheduler.setIrql(to as Irql);
}

function lower({ scheduler, trace }: Kernel, to: number): undefined {
  const from = scheduler.irql;
  if (to > from) {
    trace.emit({ kind: 'fact', what: 'irql-lowered-upwards', detail: { from, to } });
    throw new BugCheck(IRQL_NOT_LESS_OR_EQUAL, `KeLowerIrql to ${irqlName(to)} at ${irqlName(from)}`);
  }
  scheduler.setIrql(to as Irql);
  return undefined;
}

export const irqlFunctions = {
  KeGetCurrentIrql: f({
    module,
    page: 'wdm-kegetcurrentirql',
    params: {},
    returns: 'u8',
    irql: ANY,
    body: ({ scheduler }) => scheduler.irql,
  }),
  KeRaiseIrql: f({
    module,
    page: 'wdm-keraiseirql',
    params: { NewIrql: UCHAR, OldIrql: OUT(u8) },
    returns: 'void',
    irql: ANY,
    body(kernel, { NewIrql, OldIrql }) {
      OldIrql.set(raise(kernel, NewIrql));
      return undefined;
    },
  }),
  KfRaiseIrql: f({
    module,
    page: 'wdm-keraiseirql',
    params: { NewIrql: UCHAR },
    returns: 'u8',
    irql: ANY,
    body: (kernel, { NewIrql }) => raise(kernel, NewIrql),
  }),
  KeRaiseIrqlToDpcLevel: f({
    module,
    page: 'ntddk-keraiseirqltodpclevel',
    params: {},
    returns: 'u8',
    irql: D,
    body: (kernel) => raise(kernel, DISPATCH_LEVEL),
  }),
  KeLowerIrql: f({
    module,
    page: 'wdm-kelowerirql',
    params: { NewIrql: UCHAR },
    returns: 'void',
    irql: ANY,
    body: (kernel, { NewIrql }) => lower(kernel, NewIrql),
  }),
  KfLowerIrql: f({
    module,
    page: 'wdm-kelowerirql',
    params: { NewIrql: UCHAR },
    returns: 'void',
    irql: ANY,
    body: (kernel, { NewIrql }) => lower(kernel, NewIrql),
  }),
};
