/**
 * NtQuerySystemInformation under its two names. Only classes whose answer is known are answered; another one is unsupported by
 * its number, because a refusal would be as wrong as an invented answer. Page: winternl NtQuerySystemInformation; the numbers of
 * the classes and their answers are those drivers are compiled with (wdm.h) or observed.
 */
import { type Address, NULL } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { failsWith, functionsOf, P, POINTER, ULONG } from './record.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';

const f = functionsOf<Kernel>();

/** A class of information: its bytes on this machine. */
type Answer = (kernel: Kernel) => Uint8Array;

const classes = new Map<number, Answer>([
  // SystemPoolZeroingInformation, asked by wdm.h's ExInitializeDriverRuntime: since Windows 10 2004 the allocator itself
  // zeroes on request, so the flag is TRUE.
  [0xe3, () => Uint8Array.of(1)],
]);

const query = f({
  module: 'ntoskrnl.exe',
  page: 'winternl-ntquerysysteminformation',
  irql: P,
  params: {
    SystemInformationClass: ULONG,
    SystemInformation: POINTER,
    SystemInformationLength: ULONG,
    ReturnLength: POINTER,
  },
  returns: 'status',
  failures: [failsWith('invalid-class', Status.INVALID_INFO_CLASS)],
  body(kernel, { SystemInformationClass, SystemInformation, SystemInformationLength, ReturnLength }, { fn }) {
    const answer = classes.get(SystemInformationClass)?.(kernel);
    if (answer === undefined) {
      throw new Unsupported(fn, `${fn} of class ${SystemInformationClass}`, kernel.stack());
    }
    giveLength(kernel, ReturnLength, answer.length);
    if (SystemInformationLength !== answer.length) return Status.INFO_LENGTH_MISMATCH;
    kernel.memory.write(SystemInformation, answer);
    return Status.SUCCESS;
  },
});

function giveLength({ memory }: Kernel, where: Address, length: number): void {
  if (where !== NULL) memory.writeU32(where, length);
}

export const systemInformationFunctions = { NtQuerySystemInformation: query, ZwQuerySystemInformation: query };
