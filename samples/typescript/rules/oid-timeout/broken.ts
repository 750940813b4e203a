/** Broken on purpose: the request is left pending, and nobody will ever complete it. */
import { NDIS_STATUS_PENDING } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport(() => ({
  characteristics: { OidRequestHandler: () => NDIS_STATUS_PENDING },
}));
