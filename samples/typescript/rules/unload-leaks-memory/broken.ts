/** Broken on purpose: DriverEntry allocates a table, and MiniportDriverUnload does not free it. */
import { NDIS_STATUS_SUCCESS } from 'haltex';
import { allocate, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *entry(status, driver) {
    if (status === NDIS_STATUS_SUCCESS) yield* allocate(wdk, driver, 256);
    return status;
  },
}));
