/**
 * Handles: the kernel's names for objects a driver opened, good until ZwClose. Values look as kernel handles do on x64.
 * Page: wdm-zwclose.
 */
import type { Handle } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { functionsOf, HANDLE, P, UCHAR } from './record.ts';
import { Status } from './status.ts';

/** Above every user handle: 0xFFFFFFFF80000000. */
const FIRST = -0x8000_0000;

interface Entry {
  readonly type: string;
  readonly object: object;
  /** Told when the handle is closed. */
  readonly closed: (() => void) | undefined;
}

export class Handles {
  private readonly entries = new Map<Handle, Entry>();
  private count = 0;

  /** A handle to an object of a type: `Key`, `Thread`, `File`, … */
  create(type: string, object: object, closed?: () => void): Handle {
    const handle = (FIRST + 4 * ++this.count) as Handle;
    this.entries.set(handle, { type, object, closed });
    return handle;
  }

  /** The object behind a handle, if it is open. */
  entry(handle: Handle): Entry | undefined {
    return this.entries.get(handle);
  }

  /** The object behind an open handle of that type. */
  object<T extends object>(handle: Handle, type: string): T | undefined {
    const entry = this.entries.get(handle);
    return entry?.type === type ? (entry.object as T) : undefined;
  }

  /** False when the handle is not open. */
  close(handle: Handle): boolean {
    const entry = this.entries.get(handle);
    this.entries.delete(handle);
    entry?.closed?.();
    return entry !== undefined;
  }
}

const f = functionsOf<Kernel>();
const undoes = {
  types: ['handle'],
  key: ({ Handle: handle }: { Handle: Handle }) => handle,
  otherwise: () => Status.INVALID_HANDLE,
};
const close = ({ handles }: Kernel, handle: Handle): number =>
  handles.close(handle) ? Status.SUCCESS : Status.INVALID_HANDLE;

const closing = f({
  module: 'ntoskrnl.exe',
  page: 'wdm-zwclose',
  params: { Handle: HANDLE },
  returns: 'status',
  irql: P,
  undoes,
  body: (kernel, args) => close(kernel, args.Handle),
});

export const objectFunctions = {
  ZwClose: closing,
  NtClose: closing,
  ObCloseHandle: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-obclosehandle',
    params: { Handle: HANDLE, PreviousMode: UCHAR },
    returns: 'status',
    irql: P,
    undoes,
    body: (kernel, args) => close(kernel, args.Handle),
  }),
};
