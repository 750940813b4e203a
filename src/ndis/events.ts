/**
 * NDIS_EVENT: a notification event of the kernel under NDIS' names. Pages: ndis-ndisinitializeevent, ndis-ndissetevent,
 * ndis-ndisresetevent, ndis-ndiswaitevent.
 */
import { KEVENT } from '../kernel/dispatcher.ts';
import { struct } from '../kernel/layout.ts';
import { ANY, D, functionsOf, P, POINTER, ULONG } from '../kernel/record.ts';
import { MILLISECOND, type VirtualTime } from '../trace/units.ts';
import type { Ndis } from './ndis.ts';

export const NDIS_EVENT = struct('NDIS_EVENT', { Event: KEVENT });

const f = functionsOf<Ndis>();

export const eventFunctions = {
  NdisInitializeEvent: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisinitializeevent',
    params: { Event: POINTER },
    returns: 'void',
    irql: ANY,
    body({ kernel }, { Event }) {
      kernel.dispatcher.initializeEvent(Event, 'notification', false);
      return undefined;
    },
  }),
  NdisSetEvent: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndissetevent',
    params: { Event: POINTER },
    returns: 'void',
    irql: D,
    body({ kernel }, { Event }) {
      kernel.dispatcher.setEvent(Event);
      return undefined;
    },
  }),
  NdisResetEvent: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisresetevent',
    params: { Event: POINTER },
    returns: 'void',
    irql: D,
    body({ kernel }, { Event }) {
      kernel.dispatcher.clearEvent(Event);
      return undefined;
    },
  }),
  NdisWaitEvent: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndiswaitevent',
    params: { Event: POINTER, MsToWait: ULONG },
    returns: 'bool',
    irql: P,
    *body({ kernel }, { Event, MsToWait }) {
      // 0 waits for ever.
      const deadline = MsToWait === 0 ? undefined : ((kernel.clock.now + MsToWait * MILLISECOND) as VirtualTime);
      return (yield* kernel.dispatcher.wait([Event], { deadline })) !== 'timeout';
    },
  }),
};
