/**
 * What can be wrong with hardware. A scenario names one trouble. Some any device can have, whoever modelled it: they are played
 * by the bus (pci-bus.ts, pci-function.ts). Others only a model can show: it lists them in its `troubles`, each as the options
 * that bring it about.
 */

/** Nothing is wrong. */
export const WORKS = 'works';

/** What the plug and play manager may have failed to assign. */
export type Withheld = 'memory' | 'port' | 'interrupt';

/** How a bus plays a trouble. */
export interface BusTrouble {
  /** The driver's access to registers and ports from which on nobody answers, counted from 1. */
  readonly silentFrom?: number;
  /** Configuration space still answers when registers do not: the function is there, but dead. */
  readonly configAnswers?: boolean;
  /** Nobody was in the slot from the beginning. */
  readonly absent?: boolean;
  /** Missing from the resources MiniportInitializeEx is given. */
  readonly withheld?: readonly Withheld[];
  /** The interrupt is pending when the driver connects it. */
  readonly pendingInterrupt?: boolean;
}

const SILENT_FROM = /^silent-from-([1-9]\d{0,8})$/;

/** The device stops answering at the driver's nth access to it, as one that is pulled out without a word. */
export function silentFrom(access: number): string {
  return `silent-from-${access}`;
}

interface Generic extends BusTrouble {
  readonly text: string;
}

/** The troubles any device can have. */
const generic: Readonly<Record<string, Generic>> = {
  absent: { absent: true, text: 'nobody is in the slot: registers, ports and configuration space read as ones' },
  'all-ones': { silentFrom: 1, configAnswers: true, text: 'the device is dead: every register and port reads as ones' },
  'no-interrupt': { withheld: ['interrupt'], text: 'the driver is given no interrupt' },
  'no-memory': { withheld: ['memory'], text: 'the driver is given no register range' },
  'no-ports': { withheld: ['port'], text: 'the driver is given no port range' },
  'no-resources': { withheld: ['memory', 'port', 'interrupt'], text: 'the driver is given no hardware resources' },
  'interrupt-pending-at-registration': {
    pendingInterrupt: true,
    text: 'the interrupt is pending when the driver registers it',
  },
};

/** Words for troubles of models: use the same ones, and reports say the same. */
const modelled: Readonly<Record<string, string>> = {
  'eeprom-wrong': 'the EEPROM is wrong',
  'no-link': 'there is no link',
  'reset-late': 'a reset takes long',
  'reset-never-completes': 'a reset never completes',
  'dma-stops-late': 'DMA goes on for long after it was stopped',
  'interrupts-at-start': 'firmware left interrupts enabled and pending',
  'registers-read-zeros': 'registers that no model knows read as zeros',
  'registers-read-ones': 'registers that no model knows read as ones',
  'registers-keep': 'registers that no model knows read as what was written, however often they are polled',
};

/** What the bus has to play; undefined for a trouble that is the model's, or nobody's. */
export function busTrouble(hardware: string): BusTrouble | undefined {
  if (hardware === WORKS) return {};
  const silent = SILENT_FROM.exec(hardware);
  return silent === null ? generic[hardware] : { silentFrom: Number(silent[1]) };
}

/** The troubles a device with such resources can have, whatever it is. */
export function genericTroubles(has: { readonly [resource in Withheld]: boolean }): string[] {
  const applies = ({ withheld = [], pendingInterrupt = false }: Generic) =>
    (withheld.length !== 1 || withheld.every((resource) => has[resource])) && (!pendingInterrupt || has.interrupt);
  return Object.keys(generic).filter((name) => applies(generic[name] as Generic));
}

/** The trouble in words, for reports. */
export function troubleText(hardware: string): string {
  const silent = SILENT_FROM.exec(hardware);
  if (silent !== null)
    return `the device stops answering at access ${silent[1]}: from there on everything reads as ones`;
  return generic[hardware]?.text ?? modelled[hardware] ?? `the hardware shows «${hardware}»`;
}
