/** Facts: what only a function's body can see, written into the trace for the rules. */
import type { Kernel } from '../kernel/kernel.ts';
import type { Value } from '../trace/events.ts';

/** With the driver's call stack, where there is one. */
export function emitFact(kernel: Kernel, what: string, detail: Readonly<Record<string, Value>>): void {
  kernel.trace.emit({ kind: 'fact', what, detail, stack: kernel.stack() });
}
