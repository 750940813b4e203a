/** Broken on purpose: initialize registers the I/O ports before it sets the registration attributes. */
import { nicMiniport } from '../nic/driver.ts';
import { initialize } from '../nic/initialize.ts';

export default nicMiniport({
  initialize: {
    ...initialize,
    steps(nic, allocatedResources) {
      const [registration, resources, ...rest] = initialize.steps(nic, allocatedResources);
      const { ioPorts } = nic.parts;
      return [resources, ioPorts, registration, ...rest.filter((step) => step !== ioPorts)].filter(
        (step) => step !== undefined,
      );
    },
  },
});
