/** Mended: the failure the page knows. */
import { NDIS_STATUS_FAILURE } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport(() => ({
  *restart() {
    return NDIS_STATUS_FAILURE;
  },
}));
