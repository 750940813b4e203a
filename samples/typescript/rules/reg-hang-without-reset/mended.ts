/** Mended: who registers MiniportCheckForHangEx registers MiniportResetEx too. */
import { NDIS_STATUS_SUCCESS } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport(() => ({
  characteristics: {
    CheckForHangHandlerEx: () => false,
    ResetHandlerEx: () => NDIS_STATUS_SUCCESS,
  },
}));
