/** Mended: once. */
import { completeSend, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *send(adapter, list) {
    yield* completeSend(wdk, adapter, list);
  },
}));
