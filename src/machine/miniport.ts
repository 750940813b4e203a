/** Miniports written in TypeScript: the same NDIS, the same rules, typed by the field's names. */
import { kernelFunctions } from '../kernel/functions.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type Native, nativeFace } from '../kernel/native.ts';
import type { NativeCallback } from '../kernel/record.ts';
import type { DriverEntry } from '../ndis/callbacks.ts';
import { ndisFunctions } from '../ndis/functions.ts';
import type { GuestMemory } from '../x64/memory.ts';

type Functions = typeof kernelFunctions & typeof ndisFunctions;

/** What a TypeScript miniport is given: every function of the kernel and NDIS as a typed generator, and guest memory. */
export type Wdk = Native<Functions> & {
  /** Guest memory: every access is checked as guest code's is, and device registers answer. */
  readonly memory: GuestMemory;
  /** `in` and `out`: the port instructions that NdisRawReadPort… and NdisRawWritePort… inline to. */
  readPort(port: number, size: 1 | 2 | 4): number;
  writePort(port: number, size: 1 | 2 | 4, value: number): void;
};

export interface Miniport {
  readonly kind: 'haltex-miniport';
  /** Called once for every run, so that nothing outlives it: keep all state inside. */
  readonly load: (wdk: Wdk) => { readonly DriverEntry: NativeCallback<typeof DriverEntry> };
}

/** Declares a miniport: `export default defineMiniport((wdk) => { …; return { DriverEntry } })`. */
export function defineMiniport(load: Miniport['load']): Miniport {
  return { kind: 'haltex-miniport', load };
}

export function isMiniport(value: unknown): value is Miniport {
  return typeof value === 'object' && value !== null && (value as Partial<Miniport>).kind === 'haltex-miniport';
}

/** The face of one machine. */
export function wdkOf(kernel: Kernel): Wdk {
  const face = nativeFace(kernel, { ...kernelFunctions, ...ndisFunctions });
  return Object.assign(face, {
    memory: kernel.memory,
    readPort: (port: number, size: 1 | 2 | 4) => kernel.hardware.readPort(port, size),
    writePort: (port: number, size: 1 | 2 | 4, value: number) => kernel.hardware.writePort(port, size, value),
  }) as unknown as Wdk;
}
