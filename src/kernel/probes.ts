/**
 * Probes of user-mode buffers, and the variables that say where user space ends. The probes raise: a driver calls them inside
 * `__try`. haltex' machine has no user process, so an address that lies in user space passes ProbeForRead, as on Windows (which
 * looks at the range only), and the access behind it raises an access violation.
 * Pages: wdm-probeforread, wdm-probeforwrite.
 */
import type { Address } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { RaisedStatus } from './raised-status.ts';
import { A, functionsOf, POINTER, SIZE_T, ULONG } from './record.ts';
import { Status } from './status.ts';
import { provideVariable } from './variables.ts';

/** MmUserProbeAddress on x64: 64 KiB below the end of user space (observed). */
const USER_PROBE_ADDRESS = 0x7fff_ffff_0000;
const HIGHEST_USER_ADDRESS = 0x7fff_fffe_ffff;
const SYSTEM_RANGE_START = 0xffff_8000_0000_0000n;
const DATATYPE_MISALIGNMENT = 0x80000002;

/** Provides MmUserProbeAddress, MmHighestUserAddress and MmSystemRangeStart, which the WDK's inline probes read. */
export function provideAddressLimits(kernel: Pick<Kernel, 'memory' | 'heap' | 'code'>): void {
  provideVariable(kernel, 'MmUserProbeAddress', { value: USER_PROBE_ADDRESS });
  provideVariable(kernel, 'MmHighestUserAddress', { value: HIGHEST_USER_ADDRESS });
  provideVariable(kernel, 'MmSystemRangeStart', { value: SYSTEM_RANGE_START });
}

/** Raises unless the range is aligned and lies in user space. An empty range passes whatever its address. */
function checkRange(address: Address, length: number, alignment: number, fn: string): void {
  if (length === 0) return;
  if (alignment > 1 && address % alignment !== 0) throw new RaisedStatus(DATATYPE_MISALIGNMENT, fn);
  const end = address + length;
  if (address < 0 || end > USER_PROBE_ADDRESS) throw new RaisedStatus(Status.ACCESS_VIOLATION, fn);
}

const f = functionsOf<Kernel>();
const PAGE = 0x1000;

export const probeFunctions = {
  ProbeForRead: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-probeforread',
    params: { Address: POINTER, Length: SIZE_T, Alignment: ULONG },
    returns: 'void',
    irql: A,
    body(_kernel, { Address: address, Length, Alignment }, { fn }) {
      checkRange(address, Length, Alignment, fn);
      return undefined;
    },
  }),
  ProbeForWrite: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-probeforwrite',
    params: { Address: POINTER, Length: SIZE_T, Alignment: ULONG },
    returns: 'void',
    irql: A,
    body({ memory }, { Address: address, Length, Alignment }, { fn }) {
      checkRange(address, Length, Alignment, fn);
      // It writes back what it reads in every page, so a page that is not there shows here.
      for (
        let touched: number = address;
        touched < address + Length;
        touched = (Math.floor(touched / PAGE) + 1) * PAGE
      ) {
        memory.writeU8(touched as Address, memory.readU8(touched as Address));
      }
      return undefined;
    },
  }),
};
