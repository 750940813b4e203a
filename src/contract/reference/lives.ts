/** Shutdown, sleep, removal, and adapters that live again or beside another: contract.md B3, G. */
import type { Chapter } from './chapter.ts';

export const lives: Chapter = {
  title: 'Shutdown, sleep, removal and further lives',
  about:
    'What differs when the system goes down, the device sleeps or is pulled, or the adapter lives a second time or beside another.',
  rules: {
    'shutdown-leaves-nic-running': {
      why: 'After a restart without power loss the NIC still writes frames into memory, which by then belongs to the next system.',
      looksAt: 'The device model when MiniportShutdownEx returns: DMA on, interrupts enabled.',
    },
    'shutdown-frees-resources': {
      why: 'The system is going down: freeing is wasted time, and in a crash the pool and its locks may be the very thing that is broken.',
      allowed: 'At a plain power-off the reference page allows it and a design page does not: this is a note.',
      looksAt: 'Undo calls inside MiniportShutdownEx when NDIS has called it.',
    },
    'shutdown-frees-shared-memory': {
      why: 'The page forbids it: shutdown may come at a level at which memory cannot be freed, and the NIC may still use the block.',
      allowed: 'A helper that MiniportHaltEx shares with MiniportShutdownEx, when it is halt that calls it.',
      looksAt: 'NdisMFreeSharedMemory inside MiniportShutdownEx when NDIS has called it.',
    },
    'shutdown-nested-in-halt': {
      why: 'The system crashed inside MiniportHaltEx, so the adapter is half taken down. Work on it follows pointers that are freed, and the crash dump is lost to a second crash.',
      looksAt:
        'Calls and register accesses of MiniportShutdownEx in scenarios in which the system crashes while MiniportHaltEx runs.',
    },
    'shutdown-calls-ndis': {
      why: 'In a crash MiniportShutdownEx runs at HIGH_LEVEL, where no lock can be waited for and other processors are frozen: the machine hangs and writes no dump.',
      allowed:
        'Register access and other functions for any IRQL; drivers that do not ask for the call in a crash (NDIS 6.30 and later) only see it at PASSIVE_LEVEL.',
      looksAt: 'Calls of MiniportShutdownEx at HIGH_LEVEL to functions that are not for any IRQL.',
    },
    'halt-frees-add-device-context': {
      why: 'The device may be initialized again without a new MiniportAddDevice, and MiniportRemoveDevice still comes: both then use memory that is freed.',
      looksAt: 'Undo calls inside MiniportHaltEx for what MiniportAddDevice acquired.',
    },
    'halt-frees-driver-scope': {
      why: 'One driver serves several adapters. What belongs to all of them may go only with the last; freed in one adapter’s halt, it is a use after free in the other.',
      looksAt:
        'Scenarios with two adapters: what MiniportHaltEx of one gave back and the other, or MiniportDriverUnload, still uses.',
    },
    'halt-then-reinit-stale-state': {
      why: 'After sleep, a rebalance or disable and enable, the same device is initialized again without the driver being loaded anew. Static variables still say what the last life left, and a pointer among them is a use after free.',
      looksAt:
        'Scenarios with a second life: memory the first gave back and the second uses, or a MiniportInitializeEx that fails the second time though nothing it calls does.',
    },
    'powered-down-halt-keeps-resources': {
      why: 'A halt for sleep or for a rebalance is a halt like any other: the device may never come back, or with other resources. What is kept is lost then.',
      allowed: 'Context that MiniportAddDevice made.',
      looksAt:
        'What is still live after MiniportHaltEx with NdisHaltDevicePoweredDown or NdisHaltDeviceStopped and is given back by a later halt.',
    },
    'hw-access-in-d3': {
      why: 'A device in D3 does not answer: reads give all ones, and on some buses the access is a machine check that stops the system.',
      looksAt: 'Register accesses while the device model is in D3.',
    },
    'halt-leaves-idle-notification': {
      why: 'The adapter stays without power: sends and OID requests wait for the notification to end, and so does halt. NDIS’ watchdog stops with 0x7C/25.',
      allowed: 'NdisMIdleNotificationComplete may be called by MiniportCancelIdleNotification or any time later.',
      looksAt:
        'The time from MiniportCancelIdleNotification to NdisMIdleNotificationComplete, in a run that lets the adapter become idle; drivers that registered for selective suspend only.',
    },
    'lowpower-timers-not-cancelled': {
      why: 'What goes on touches hardware without power, or wakes the system again at once.',
      allowed: 'What wakes the system on purpose stays armed.',
      looksAt:
        'NDIS timers that are set, and DMA or interrupts that are enabled, when OID_PNP_SET_POWER to D3 has succeeded.',
    },
    'halt-touches-removed-hardware': {
      why: 'Registers of a device that has gone read as all ones. A loop that waits for a bit to clear never ends: the removal hangs, and NDIS’ watchdog stops the system with 0x7C/25.',
      allowed: 'Register accesses that halt does not depend on.',
      looksAt:
        'A MiniportHaltEx that does not end after it has read registers of a device that was pulled. Scenarios with NdisHaltDeviceSurpriseRemoved let every read give all ones.',
    },
    'surprise-removal-requests-not-rejected': {
      why: 'A request to hardware that has gone waits for an answer that never comes, and the removal waits for the request.',
      allowed: 'Sends that end with NDIS_STATUS_PAUSED once the adapter pauses.',
      looksAt: 'The status of requests and sends between the surprise removal event and MiniportHaltEx.',
    },
  },
};
