/** Broken on purpose: initialize succeeds and has never set the general attributes. */
import { NDIS_STATUS_SUCCESS } from 'haltex';
import { attributes } from '../nic/attributes.ts';
import { nicMiniport } from '../nic/driver.ts';

export default nicMiniport({
  attributes: {
    ...attributes,
    *general() {
      return NDIS_STATUS_SUCCESS;
    },
  },
});
