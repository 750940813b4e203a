/** The same miniport with power management, and a shutdown handler that also runs when the system crashes: see nic/managed.ts. */
import { nicMiniport } from './nic/driver.ts';
import { managed } from './nic/managed.ts';

export default nicMiniport(managed);
