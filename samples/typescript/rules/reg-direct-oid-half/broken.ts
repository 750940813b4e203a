/** Broken on purpose: direct OID requests can be made and not be cancelled. */
import { NDIS_STATUS_NOT_SUPPORTED } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport(() => ({
  characteristics: {
    DirectOidRequestHandler: () => NDIS_STATUS_NOT_SUPPORTED,
  },
}));
