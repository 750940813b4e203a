/** Broken on purpose: a hang may be reported, and nothing can be done about it. */
import { miniport } from '../miniport.ts';

export default miniport(() => ({
  characteristics: {
    CheckForHangHandlerEx: () => false,
  },
}));
