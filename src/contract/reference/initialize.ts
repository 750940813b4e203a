/** The order of things in MiniportInitializeEx: contract.md B4. */
import type { Chapter } from './chapter.ts';

export const initialize: Chapter = {
  title: 'Initialize',
  about: 'The order of things in MiniportInitializeEx, what may be done only there, and what it returns.',
  rules: {
    'init-attributes-before-hardware': {
      why: 'NDIS learns from the registration attributes what kind of device and bus it deals with. Before that, calls for ports, registers, interrupts or DMA work on an adapter it does not know: they fail, or NDIS uses a context that is not set.',
      looksAt:
        'The calls inside MiniportInitializeEx: NdisMRegisterIoPortRange, NdisMMapIoSpace, NdisMRegisterInterruptEx, NdisMRegisterScatterGatherDma, NdisMRegisterDmaChannel or NdisMAllocatePort before NdisMSetMiniportAttributes with the registration attributes.',
    },
    'init-attributes-order': {
      why: 'NDIS builds each set of attributes on the one before. Out of order the call fails, or the attributes are taken for an adapter that is not described yet.',
      looksAt:
        'The Type of each structure that goes to NdisMSetMiniportAttributes: registration, then general, then all others.',
    },
    'init-success-without-general-attributes': {
      why: 'NDIS has no medium, address or filter for the adapter and cannot bind a protocol to it. It then halts an adapter that said it was ready.',
      looksAt:
        'A MiniportInitializeEx that returns NDIS_STATUS_SUCCESS without both sets of attributes having been set.',
    },
    'init-sg-before-shared-memory': {
      why: 'Shared memory is made by the DMA adapter that NdisMRegisterScatterGatherDma creates. Before that the call has nothing to allocate from and gives NULL, or memory the device cannot reach.',
      looksAt:
        'The first NdisMAllocateSharedMemory(AsyncEx) or NdisMGetDmaAlignment inside MiniportInitializeEx, with no DMA registered before it.',
    },
    'init-only-call-elsewhere': {
      why: 'These calls rely on the state NDIS is in while it initializes the adapter. Elsewhere they race with requests, pause and power, or run where they may not wait.',
      allowed: 'MiniportAddDevice, and a thread or work item that MiniportInitializeEx itself waits for.',
      looksAt:
        'Calls of NdisMAllocateSharedMemory, NdisMRegisterInterruptEx, NdisOpenFile, NdisMapFile and NdisMRegisterIoPortRange from any other MiniportXxx routine.',
    },
    'map-io-space-outside-init': {
      why: 'NdisMMapIoSpace maps the resources that MiniportInitializeEx was given. At any other time the adapter may be paused, asleep or on its way out, and the mapping outlives it.',
      looksAt: 'Calls of NdisMMapIoSpace from any MiniportXxx routine but MiniportInitializeEx.',
    },
    'init-returns-undocumented-status': {
      why: 'NDIS documents four results. Another one may be taken for success: some failures, NDIS_STATUS_PENDING among them, have numbers that are no errors, and NDIS then uses an adapter that does not exist.',
      allowed: 'Any other error status is a note: NDIS takes it for a failure, and samples of Microsoft’s return such.',
      looksAt: 'What MiniportInitializeEx returns.',
    },
    'status-before-registration-attributes': {
      why: 'Until the registration attributes are set NDIS cannot tell whose status it is; the indication reaches nobody or follows a pointer that is not set.',
      looksAt:
        'NdisMIndicateStatusEx inside MiniportInitializeEx before NdisMSetMiniportAttributes with the registration attributes.',
    },
    'memory-tag-missing': {
      why: 'Memory without a tag cannot be told apart in a dump or by poolmon, so a leak in the field cannot be traced to the driver.',
      looksAt: 'The Tag of every NdisAllocateMemoryWithTagPriority.',
    },
    'init-ignores-result': {
      why: 'A call that failed left NULL, or a handle that was never set, and the driver uses it: bug check 0xD1 or 0x50, on just the machines that are short of memory.',
      looksAt:
        'Accesses near address 0. The check makes every acquiring call fail once, as the real one does, so that each untested result shows.',
    },
    'init-fail-returns-success': {
      why: 'NDIS takes the adapter for ready and lets it run; the first routine that uses what is missing dereferences NULL, bug check 0xD1, minutes later and with nothing in sight of the cause.',
      allowed: 'Going on without something optional, when every use of it is guarded.',
      looksAt:
        'Accesses near address 0 after a MiniportInitializeEx that succeeded although one of its calls was made to fail.',
    },
    'interrupt-registered-too-early': {
      why: 'The ISR may run before NdisMRegisterInterruptEx has even returned, on a shared line for a neighbour’s interrupt. What it needs and does not find is NULL: bug check 0xD1 at DIRQL.',
      looksAt:
        'Accesses near address 0 by an interrupt routine while MiniportInitializeEx still runs; scenarios deliver interrupts right after the registration.',
    },
    'init-leaks-file': {
      why: 'A firmware file that stays open cannot be replaced by an update, and its mapping holds memory. It belongs to MiniportInitializeEx: MiniportHaltEx may not close it.',
      looksAt: 'The inventory when MiniportInitializeEx returns, whatever it returns: files of NdisOpenFile.',
    },
    'init-leaks-string': {
      why: 'NdisInitializeString allocates a buffer for the string, which is lost when nobody calls NdisFreeString.',
      looksAt: 'The inventory when MiniportInitializeEx returns: strings of NdisInitializeString that were made in it.',
    },
    'init-fail-no-error-log': {
      why: 'Nothing breaks, but the device does not start and the event log does not say why.',
      looksAt:
        'A MiniportInitializeEx that fails after NdisMAllocateSharedMemory gave nothing, without a call that writes to the error log.',
    },
    'init-order-typical': {
      why: 'The ISR may run as soon as NdisMRegisterInterruptEx is called, on a shared line even for a neighbour’s interrupt. What is set up after that may be missing when it runs.',
      allowed: 'What no interrupt routine uses may be set up later; this is a note.',
      looksAt:
        'Acquisitions of memory, pools, locks, timers, ports, registers or DMA inside MiniportInitializeEx behind NdisMRegisterInterruptEx.',
    },
    'msi-without-line-handlers': {
      why: 'A machine or bus without message interrupts grants a line instead, whatever the driver asked for. Without the four routines for it the registration fails or the first interrupt calls NULL.',
      looksAt:
        'The NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS of NdisMRegisterInterruptEx with MsiSupported set and a line-based routine missing.',
    },
    'config-calls-not-serialized': {
      why: 'NDIS keeps what it read in lists that belong to the handle and does not guard them; two calls at once corrupt them.',
      looksAt:
        'Calls of NdisReadConfiguration and NdisWriteConfiguration in one context while another context is inside one.',
    },
    'config-value-used-after-close': {
      why: 'NdisReadConfiguration and NdisReadNetworkAddress give a pointer into memory that NdisCloseConfiguration frees. The value read later is whatever lies there by then.',
      looksAt:
        'Accesses to the memory of configuration values after their handle was closed: every block keeps shadow state.',
    },
  },
};
