/**
 * Events with a name, which the driver shares with a program: the handle keeps the event alive, the pointer is the event.
 * Pages: wdm-iocreatenotificationevent, wdm-iocreatesynchronizationevent.
 */
import { type Address, NULL } from '../trace/units.ts';
import { KEVENT } from './dispatcher.ts';
import type { Kernel } from './kernel.ts';
import { pointer } from './layout.ts';
import { functionsOf, IN, OUT, P } from './record.ts';
import { UNICODE_STRING, unicodeText } from './strings.ts';

const f = functionsOf<Kernel>();

/** Creates the event, signaled, or opens the one that has the name. */
const creating = (page: string, type: 'notification' | 'synchronization') =>
  f({
    module: 'ntoskrnl.exe',
    page,
    params: { EventName: IN(UNICODE_STRING), EventHandle: OUT(pointer) },
    returns: 'pointer',
    irql: P,
    acquires: { type: 'handle', key: ({ EventHandle }) => EventHandle.get() },
    failures: [{ id: 'null', fail: (): Address => NULL }],
    body({ memory, objects, dispatcher }, { EventName, EventHandle }) {
      const name = unicodeText(memory, EventName);
      const known = objects.named(name);
      if (known !== undefined) {
        EventHandle.set(objects.open(known));
        return known.address;
      }
      const made = objects.createNamed('Event', KEVENT.size, name);
      dispatcher.initializeEvent(made.address, type, true);
      EventHandle.set(objects.open(made));
      // Only the handle holds it from here on.
      objects.dereference(made.address);
      return made.address;
    },
  });

export const namedEventFunctions = {
  IoCreateNotificationEvent: creating('wdm-iocreatenotificationevent', 'notification'),
  IoCreateSynchronizationEvent: creating('wdm-iocreatesynchronizationevent', 'synchronization'),
};
