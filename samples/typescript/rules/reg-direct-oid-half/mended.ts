/** Mended: both entries, or none. */
import { NDIS_STATUS_NOT_SUPPORTED } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport(() => ({
  characteristics: {
    DirectOidRequestHandler: () => NDIS_STATUS_NOT_SUPPORTED,
    CancelDirectOidRequestHandler: () => {},
  },
}));
