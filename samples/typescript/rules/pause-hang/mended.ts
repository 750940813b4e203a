/** Mended: nothing is under way, so the pause is complete at once. */
import { NDIS_STATUS_SUCCESS } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport(() => ({
  *pause() {
    return NDIS_STATUS_SUCCESS;
  },
}));
