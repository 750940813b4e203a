/**
 * Variables of ntoskrnl that drivers import by name. Their values never change in a run.
 * Sources: wdm.h, ntddk.h, ntifs.h declare them; InitSafeBootMode and KdDebuggerEnabled as on a machine booted normally.
 */
import type { Address } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import { WINDOWS } from './shared-user-data.ts';
import { provideVariable } from './variables.ts';

/** NtBuildNumber of a free build has this bit (observed). */
const FREE_BUILD = 0xf000_0000;

export function provideSystemVariables(
  parts: { readonly memory: GuestMemory; readonly heap: Heap; readonly code: HostCode },
  system: { readonly processors: number; readonly process: Address },
): void {
  provideVariable(parts, 'KeNumberProcessors', { value: system.processors, size: 1 });
  provideVariable(parts, 'NtBuildNumber', { value: WINDOWS.build + FREE_BUILD, size: 4 });
  provideVariable(parts, 'InitSafeBootMode', { value: 0, size: 4 });
  provideVariable(parts, 'KdDebuggerEnabled', { value: 0, size: 1 });
  provideVariable(parts, 'KdDebuggerNotPresent', { value: 1, size: 1 });
  provideVariable(parts, 'NlsMbCodePageTag', { value: 0, size: 1 });
  provideVariable(parts, 'PsInitialSystemProcess', { value: system.process, size: 8 });
}
