/**
 * What is owed: contract.md A. One sentence for each kind of resource says what its leak does; the three moments at which it is
 * judged (halt, a failing initialize, unload) share it.
 */
import { kernelFunctions } from '../../kernel/functions.ts';
import type { AnyFunction } from '../../kernel/record.ts';
import { ndisFunctions } from '../../ndis/functions.ts';
import { owed, unloadTwin } from '../leaks.ts';
import type { Chapter, Explanation } from './chapter.ts';
import { kinds } from './leak-kinds.ts';

/** What is the same for every kind at one moment. */
interface Moment {
  readonly prefix: string;
  readonly why: string;
  readonly when: string;
}

const halted: Moment = {
  prefix: 'halt-',
  why: 'NDIS calls no routine of the adapter after MiniportHaltEx, so nothing can give it back later, and each disable and enable of the device adds one more.',
  when: 'was acquired for the adapter and is still live when MiniportHaltEx returns',
};
const failed: Moment = {
  prefix: 'init-fail-',
  why: 'NDIS does not call MiniportHaltEx after a failed MiniportInitializeEx, so the failing routine is the only one that can give it back.',
  when: 'was acquired for the adapter and is still live when MiniportInitializeEx returns anything but NDIS_STATUS_SUCCESS',
};
const unloaded: Moment = {
  prefix: 'unload-',
  why: 'It was acquired outside the life of any adapter, in DriverEntry for instance, so MiniportDriverUnload has to give it back; afterwards no code is left that knows of it.',
  when: 'is still live when the driver has unloaded (or its DriverEntry has failed) and belongs to no adapter',
};

const records: Readonly<Record<string, AnyFunction>> = { ...kernelFunctions, ...ndisFunctions };

/** A few of them by name: a new function of a kind that has many changes no page. */
const named = (names: readonly string[]) =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and others`;

/** The functions that acquire a kind and those that undo it, by their records; empty where only a body knows. */
function functionsOf(type: string): { readonly acquiring: string; readonly undoing: string } {
  const all = Object.entries(records);
  const acquiring = all.filter(([, { acquires }]) => acquires?.type === type).map(([name]) => name);
  const undoing = all.filter(([, { undoes }]) => undoes?.types.includes(type as never)).map(([name]) => name);
  return { acquiring: named(acquiring), undoing: named(undoing) };
}

function explain(type: string, { why, when }: Moment): Explanation {
  const { acquiring, undoing } = functionsOf(type);
  const kind = kinds[type] ?? { why: '' };
  const by = (names: string) => (names === '' ? '' : ` (${names})`);
  return {
    why: `${kind.why} ${why}`,
    ...(kind.allowed === undefined ? {} : { allowed: kind.allowed }),
    looksAt: `The inventory: a call that acquires it${by(acquiring)} enters it, a call that gives it back${by(undoing)} takes it out. Reported is what ${when}.`,
  };
}

/** The rules of every kind at one moment, by id. */
function rulesAt(moment: Moment): Record<string, Explanation> {
  const rows = owed.flatMap((row) => {
    const inUnload = moment === unloaded ? unloadTwin(row) : undefined;
    const id = moment === unloaded ? inUnload : row.scope === 'adapter' && row.rule.replace(/^halt-/, moment.prefix);
    return typeof id === 'string' ? [[id, explain(row.type, moment)] as const] : [];
  });
  return Object.fromEntries(rows);
}

export const leaksAtHalt: Chapter = {
  title: 'What MiniportHaltEx owes',
  about:
    'Everything the driver acquired for the adapter, in initialize or later, is given back before MiniportHaltEx returns.',
  rules: {
    ...rulesAt(halted),
    'halt-leaks-late-allocation': {
      why: 'What an OID request, a timer or a DPC allocates long after initialize is easily forgotten, because halt is written as the mirror of initialize. It is owed all the same, and is lost with every halt.',
      looksAt:
        'The inventory: memory, ports, timers, pools, work items, locks and generic objects that were acquired after MiniportInitializeEx had returned and are still live when MiniportHaltEx returns.',
    },
    'timer-rearmed-during-halt': {
      why: 'A callback that sets its own timer again undoes the cancel that came just before: the timer fires after MiniportHaltEx, into freed memory or unloaded code, which ends in bug check 0xD1 or 0xCE.',
      looksAt:
        'A timer that MiniportHaltEx cancelled with NdisCancelTimerObject, that was set once more afterwards, and is still set when MiniportHaltEx returns.',
    },
  },
};

export const leaksAtFailure: Chapter = {
  title: 'What a failing MiniportInitializeEx owes',
  about:
    'A MiniportInitializeEx that fails undoes its own work before it returns; MiniportHaltEx is not called for it.',
  rules: rulesAt(failed),
};

export const leaksAtUnload: Chapter = {
  title: 'What the driver owes when it unloads',
  about:
    'What DriverEntry, MiniportSetOptions or MiniportAddDevice acquired belongs to no adapter; its own counterpart gives it back.',
  rules: {
    ...rulesAt(unloaded),
    'remove-device-leaks-context': {
      why: 'What MiniportAddDevice makes outlives every halt and initialize of the device. MiniportRemoveDevice is the last routine that is called for the device, so what it leaves is lost.',
      looksAt:
        'The inventory: what was acquired inside MiniportAddDevice and is still live when the driver has unloaded.',
    },
    'unload-leaks-setoptions': {
      why: 'NDIS calls MiniportSetOptions once, while the driver registers, and has no call that undoes it. Only MiniportDriverUnload can give its memory back; Driver Verifier stops with 0xC4/62 when pool is left.',
      looksAt:
        'The inventory: what was acquired inside MiniportSetOptions and is still live when the driver has unloaded.',
    },
    'unload-allocates': {
      why: 'Memory that is allocated while the driver unloads has no one left to free it. Driver Verifier stops the system with 0xC4/61 or 0xC4/62.',
      looksAt:
        'The inventory: memory that was allocated inside MiniportDriverUnload and is still live when it has returned.',
    },
    'driverentry-register-failed-leaks': {
      why: 'When NdisMRegisterMiniportDriver fails, NDIS does not know the driver and will not call MiniportDriverUnload. The image goes as soon as DriverEntry has returned its failure, and what DriverEntry holds then is lost.',
      looksAt:
        'The inventory when DriverEntry has failed after a registration that did not succeed; the check makes the registration fail for this.',
    },
    'driverentry-fails-after-register': {
      why: 'NDIS keeps the addresses of the driver’s routines, and the image is taken out of memory because DriverEntry failed. The next device that matches the driver makes NDIS call into nothing: bug check 0x50 or 0xCE.',
      looksAt:
        'A DriverEntry that returns a failure while the registration of NdisMRegisterMiniportDriver is still live; NdisMDeregisterMiniportDriver is missing.',
    },
  },
};
