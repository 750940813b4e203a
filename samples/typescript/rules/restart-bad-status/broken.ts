/** Broken on purpose: a restart that is not possible gives a status of its own choice. */
import { NDIS_STATUS_NOT_SUPPORTED } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport(() => ({
  *restart() {
    return NDIS_STATUS_NOT_SUPPORTED;
  },
}));
