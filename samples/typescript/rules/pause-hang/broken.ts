/** Broken on purpose: the pause is pending, and nobody completes it. */
import { NDIS_STATUS_PENDING } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport(() => ({
  *pause() {
    return NDIS_STATUS_PENDING;
  },
}));
