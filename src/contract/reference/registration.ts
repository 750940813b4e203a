/** DriverEntry and the registration: contract.md C2, B4. */
import type { Chapter } from './chapter.ts';

const CHARACTERISTICS = 'The NDIS_MINIPORT_DRIVER_CHARACTERISTICS that the driver hands to NdisMRegisterMiniportDriver';

export const registration: Chapter = {
  title: 'Registration',
  about: 'What DriverEntry hands to NdisMRegisterMiniportDriver, and what it makes of the answer.',
  rules: {
    'reg-missing-required-handler': {
      why: 'NDIS refuses a miniport without a required routine, so the driver never loads. MiniportHaltEx is one of them: without it nothing could ever be given back.',
      allowed:
        'MiniportCheckForHangEx, MiniportResetEx, MiniportSetOptions and the direct and synchronous OID routines are optional.',
      looksAt: `${CHARACTERISTICS}: a required entry that is NULL.`,
    },
    'reg-hang-without-reset': {
      why: 'A driver that reports a hang is reset by NDIS, and without MiniportResetEx there is nothing to call. NDIS wants both or neither.',
      looksAt: `${CHARACTERISTICS}: CheckForHangHandlerEx is given and ResetHandlerEx is NULL.`,
    },
    'reg-direct-oid-half': {
      why: 'A direct OID request that cannot be cancelled, or a cancel routine for requests that never come, is half an interface; NDIS wants both or neither.',
      looksAt: `${CHARACTERISTICS}: one of DirectOidRequestHandler and CancelDirectOidRequestHandler is NULL and the other is not.`,
    },
    'reg-sync-oid-with-selective-suspend': {
      why: 'A synchronous OID request comes at any moment and may not wait, so it cannot first wake a device that sleeps while it is idle. The page rules the two out together.',
      looksAt:
        'NdisSetOptionalHandlers with the selective suspend routines by a driver that registered SynchronousOidRequestHandler.',
    },
    'object-header-invalid': {
      why: 'NDIS reads a structure by the type, revision and size in its header. When they are wrong it refuses the call or reads members that are not there; some calls stop with 0x7C/21.',
      allowed: 'A type NDIS is known to take although the page names another is a note.',
      looksAt: `${CHARACTERISTICS}: Header.Type, and whether Size is enough for Revision.`,
    },
    'driverentry-status-lost': {
      why: 'The system believes that the driver is loaded, and NDIS does not know it. Its devices then fail to start with an error that tells nobody the cause.',
      allowed: 'A DriverEntry that registers again, with lower versions for instance, and succeeds.',
      looksAt:
        'The status of the last NdisMRegisterMiniportDriver and the status DriverEntry returns; the check makes the registration fail for this.',
    },
  },
};
