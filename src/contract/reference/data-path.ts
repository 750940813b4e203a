/** Pause, restart, sends and receives, OID requests, ports: contract.md B3, C1, D6, G3. */
import type { Chapter } from './chapter.ts';

export const dataPath: Chapter = {
  title: 'Pause, restart and the data path',
  about: 'What has to be complete before the adapter is paused, and so before it can be halted.',
  rules: {
    'pause-fails': {
      why: 'A pause cannot fail: NDIS goes on as if it had succeeded, while the driver thinks that it still runs.',
      looksAt: 'What MiniportPause returns: NDIS_STATUS_SUCCESS and NDIS_STATUS_PENDING are the two it may.',
    },
    'pause-completes-before-nbls-returned': {
      why: 'NDIS takes a paused adapter to have nothing under way; it unbinds, changes filters and halts. Frames that come back later meet pools that are freed: bug check 0xD1, or 0x7C/27.',
      looksAt:
        'The NET_BUFFER_LISTs that are out, sent or received, when the pause completes; scenarios return received ones late.',
    },
    'pause-complete-unexpected': {
      why: 'NDIS stops with 0x7C/1F: the adapter is not pausing. Typical is NdisMPauseComplete after MiniportPause has already returned success.',
      looksAt: 'NdisMPauseComplete for an adapter with no pause pending.',
    },
    'restart-complete-unexpected': {
      why: 'NDIS stops with 0x7C/1F: the adapter is not restarting.',
      looksAt: 'NdisMRestartComplete for an adapter with no restart pending.',
    },
    'restart-bad-status': {
      why: 'NDIS knows three results of a restart. Another number may count as success, and frames then reach an adapter that cannot take them.',
      looksAt: 'What MiniportRestart returns or NdisMRestartComplete is given.',
    },
    'restart-failure-leaves-datapath': {
      why: 'The adapter is back in its paused state, and NDIS may halt it next; frames that are indicated then meet bindings that are going away.',
      looksAt: 'NdisMIndicateReceiveNetBufferLists after MiniportRestart, or NdisMRestartComplete, gave a failure.',
    },
    'reset-complete-unexpected': {
      why: 'NDIS stops with 0x7C/0F.',
      looksAt: 'NdisMResetComplete for an adapter with no reset pending.',
    },
    'reset-holds-requests': {
      why: 'Since NDIS 6.30 a reset completes what is pending instead of holding it. Requests that are kept are lost with the state the reset threw away, and halt waits for them.',
      allowed: 'Drivers that register for an earlier version may hold requests over a reset.',
      looksAt: 'Sends and OID requests that were out when the reset began and still are when it completes.',
    },
    'receive-indicated-while-paused': {
      why: 'The protocols above are paused or not bound; NDIS may drop the frames or hand them to a binding that is going away.',
      allowed: 'From the call of MiniportRestart on, and until the pause completes.',
      looksAt: 'The adapter’s state at each NdisMIndicateReceiveNetBufferLists.',
    },
    'send-not-rejected-while-paused': {
      why: 'A send that is kept while the adapter pauses keeps the pause, or the frame’s owner, waiting: a hang in the stack above.',
      looksAt: 'The status of sends that arrive while the adapter pauses: NDIS_STATUS_PAUSED, and at once.',
    },
    'pause-allocates': {
      why: 'An allocation can fail and a pause cannot: a driver that needs memory to pause is stuck on a machine that has none.',
      looksAt: 'Allocations inside MiniportPause; this is a note.',
    },
    'pause-frees-init-resources': {
      why: 'OID requests, status and power go on while the adapter is paused, and a restart may come at any time; what initialize set up has to be there for them.',
      allowed: 'Timers may be cancelled in a pause.',
      looksAt: 'Undo calls inside MiniportPause for what MiniportInitializeEx acquired.',
    },
    'send-completed-unknown': {
      why: 'The list belongs to someone else: completing it twice frees it twice in the protocol that sent it.',
      looksAt: 'The lists of NdisMSendNetBufferListsComplete against those that are out for sending.',
    },
    'send-timeout': {
      why: 'The stack above keeps the frame’s memory and its sender waits. Driver Verifier’s NdisTimedDataSend rule stops after 30 s.',
      looksAt: 'The virtual time from MiniportSendNetBufferLists to the completion of each list.',
    },
    'nbl-stuck': {
      why: 'The list is lost to its sender, and the pause that comes before a halt never ends. Windows writes a live dump, 0x15E.',
      looksAt: 'Sends that are not completed by the end of the run, 30 s of virtual time or more.',
    },
    'nbl-indicated-twice': {
      why: 'Two owners use the same list: its links and buffers are overwritten under the protocol that still reads it.',
      looksAt: 'The lists of NdisMIndicateReceiveNetBufferLists against those NDIS has.',
    },
    'nbl-freed-while-indicated': {
      why: 'The protocols above still read the frame: a use after free in someone else’s code.',
      allowed: 'With NDIS_RECEIVE_FLAGS_RESOURCES the lists are the driver’s again when the indication returns.',
      looksAt:
        'NdisFreeNetBufferList for a list that was indicated and has not come back through MiniportReturnNetBufferLists.',
    },
    'status-invalid-buffer': {
      why: 'NDIS and the drivers above read the payload by its code; NDIS stops with 0x7C/20.',
      allowed: 'A SourceHandle alone that is not the adapter’s handle is a note: the page only says that it should be.',
      looksAt: 'Header, SourceHandle, code and buffer size of each NDIS_STATUS_INDICATION.',
    },
    'port-activation-misuse': {
      why: 'The event is refused as a whole and no port changes its state; a driver that does not look goes on with ports it thinks active. Malformed notifications stop with 0x7C/22.',
      looksAt: 'NdisMNetPnPEvent calls about ports that NDIS refuses because of the port’s number or state.',
    },
    'port-deactivate-with-traffic': {
      why: 'Nobody above is bound to the port any more, so the frames are lost or reach an owner that is gone.',
      looksAt: 'Frames of the port that are out when it is deactivated, and frames indicated on it afterwards.',
    },
  },
};

export const oids: Chapter = {
  title: 'OID requests',
  about: 'Requests are completed once, with what fits, and in time: halt cannot begin before the last one has ended.',
  rules: {
    'oid-double-complete': {
      why: 'NDIS stops with 0x7C/26, Driver Verifier with 0xC4/91002. Without these checks the second completion ends a request of someone else.',
      looksAt: 'NdisMOidRequestComplete for a request that is not pending on the adapter.',
    },
    'oid-bytes-written-overrun': {
      why: 'The caller copies as many bytes as it is told, past the end of its buffer: 0x7C/1D, or a leak of kernel memory to an application.',
      looksAt: 'BytesWritten of each completed query against the length of its buffer.',
    },
    'oid-must-succeed-failed': {
      why: 'Requests that free a queue, delete a filter or change power have no way back; when they fail, what they should take down is lost. NDIS stops with 0x7C/1C, Driver Verifier with 0xC4/91001.',
      allowed: 'NDIS_STATUS_NOT_ACCEPTED, and NDIS_STATUS_REQUEST_ABORTED for all but OID_PNP_SET_POWER.',
      looksAt: 'The final status of OID_PNP_SET_POWER and of requests that clear, free, delete or remove something.',
    },
    'oid-timeout': {
      why: 'Requests are serialized: while one hangs, no other gets through, and pause and halt wait. Driver Verifier stops after 12 s with 0xC4/92003.',
      looksAt:
        'The virtual time from each request to its completion. One that is never completed is an error: nothing comes after it.',
    },
    'pnp-event-in-oid': {
      why: 'NDIS handles the event and the request in one queue: the event waits for the request, and the request waits for the event.',
      looksAt: 'NdisMNetPnPEvent calls inside MiniportOidRequest.',
    },
    'oid-completed-pending': {
      why: 'Pending is no final status: whoever waits for the request takes it to be still under way and waits for ever.',
      looksAt: 'The status of each completed request.',
    },
  },
};
