/** Runs that end early: contract.md A3, B3, and haltex' own driver-…. */
import type { Chapter } from './chapter.ts';

export const endings: Chapter = {
  title: 'Crashes and hangs',
  about: 'Runs that the driver brings to an end: on a real machine a bug check, or a system that no longer answers.',
  rules: {
    'driver-access-violation': {
      why: 'The address belongs to nothing: bug check 0x50, or 0xD1 at raised IRQL.',
      looksAt:
        'Accesses to addresses at which the simulated machine has no memory, outside any __try that handles them.',
    },
    'driver-writes-read-only': {
      why: 'Code and constants are write-protected: bug check 0xBE.',
      looksAt: 'Writes to sections of the image that are not writable.',
    },
    'driver-jumps-to-nowhere': {
      why: 'A call through a NULL or stale function pointer, or a return over a corrupt stack: bug check 0x50 or 0x1E.',
      looksAt: 'The address execution goes to, when there is no code of the driver or of the system.',
    },
    'driver-stack-overflow': {
      why: 'A kernel stack has about 24 KiB and does not grow: a double fault, bug check 0x7F.',
      looksAt: 'Accesses below the end of the running thread’s stack.',
    },
    'driver-changes-registers': {
      why: 'NDIS and the kernel keep values in the registers a routine has to preserve. They go on with wrong ones, and the crash comes later and elsewhere. Only assembly and broken toolchains do this.',
      looksAt: 'RBX, RBP, RDI, RSI, R12 to R15, XMM6 to XMM15 and the direction flag when a routine returns.',
    },
    'driver-bugcheck': {
      why: 'The whole machine stops, whether the driver asked for it with KeBugCheckEx, let an exception go unhandled or failed fast.',
      looksAt: 'KeBugCheck(Ex), exceptions no handler takes, int 29h, and calls on which the real kernel stops.',
    },
    'driver-hang': {
      why: 'A processor or a thread of the system is lost; NDIS’ watchdog stops with 0x7C/25, or the user holds the power button.',
      looksAt:
        'A routine that is still running when its budget of instructions or of virtual time is used up, or that waits for what can no longer come.',
    },
    'halt-hang': {
      why: 'The device cannot be removed, disabled or updated, the machine does not shut down, and NDIS’ watchdog stops it with 0x7C/25. Typical is a wait for a register bit of hardware that has gone.',
      looksAt:
        'MiniportHaltEx open when the budget of instructions or virtual time is used up, or when all that is left waits.',
    },
    'pause-hang': {
      why: 'Halt, power and binding changes wait for the pause. NDIS’ watchdog stops with 0x7C/25.',
      looksAt: 'An adapter that is still Pausing when nothing can happen any more, or when the budget is used up.',
    },
  },
};
