/** Mended: what the driver does not know it says so of at once. */
import { NDIS_STATUS_NOT_SUPPORTED } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport(() => ({
  characteristics: { OidRequestHandler: () => NDIS_STATUS_NOT_SUPPORTED },
}));
