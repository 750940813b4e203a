/** Broken on purpose: shutdown resets the NIC even when the system crashes while halt is at it. */
import { nicMiniport } from '../nic/driver.ts';
import { Cause, Ctrl, Port, Register, ready, write, writePort } from '../nic/hardware.ts';
import { managed } from '../nic/managed.ts';

export default nicMiniport({
  ...managed,
  pnp: {
    ...managed.pnp,
    *shutdown(nic, adapter) {
      // The question whether adapter.Halting is missing.
      if (!ready(adapter)) return;
      adapter.InterruptsOn = false;
      write(nic, adapter, Register.IMC, Cause.ALL);
      write(nic, adapter, Register.CTRL, Ctrl.RESET);
      writePort(nic, adapter, Port.WAKE, 0);
    },
  },
});
