/** Plug and play events, shutdown. */
import { type Coroutine, NDIS_STATUS_NOT_ACCEPTED, NdisDevicePnPEventSurpriseRemoved } from 'haltex';
import type { Adapter, Nic } from './adapter.ts';
import { Cause, Ctrl, Port, Register, ready, write, writePort } from './hardware.ts';

export const pnp = {
  /**
   * PASSIVE_LEVEL. After a surprise removal no register is used, and what the NIC would have sent ends here (rule
   * surprise-removal-requests-not-rejected).
   */
  *event(nic: Nic, adapter: Adapter, event: number): Coroutine<void> {
    if (event !== NdisDevicePnPEventSurpriseRemoved) return;
    yield* nic.wdk.locked(adapter.Lock, () => {
      adapter.Removed = true;
    });
    yield* nic.parts.send.abort(nic, adapter, NDIS_STATUS_NOT_ACCEPTED);
  },

  /**
   * PASSIVE_LEVEL for a power-off; HIGH_LEVEL for a bug check, when neither locks nor waits are allowed. It only puts the NIC
   * back into its initial state (rules shutdown-leaves-nic-running, shutdown-calls-ndis, shutdown-frees-resources), and not
   * even that while halt is at it (shutdown-nested-in-halt).
   */
  *shutdown(nic: Nic, adapter: Adapter): Coroutine<void> {
    if (adapter.Halting || !ready(adapter)) return;
    adapter.InterruptsOn = false;
    write(nic, adapter, Register.IMC, Cause.ALL);
    write(nic, adapter, Register.CTRL, Ctrl.RESET);
    writePort(nic, adapter, Port.WAKE, 0);
  },
};
