/**
 * A miniport for haltex' sample NIC that keeps the whole contract: it acquires one of everything that Microsoft's "Miniport
 * Driver Halt Handler" page names, and gives all of it back. Its parts stand in nic/, one file a resource family; "Rule …"
 * stands where a rule is kept. broken/ has this driver with one part replaced, one twin a rule.
 */
import { nicMiniport } from './nic/driver.ts';

export default nicMiniport();
