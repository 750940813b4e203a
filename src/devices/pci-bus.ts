/** The bus a device is plugged into: where the plug and play manager puts its registers, ports and interrupts. */
import type { Kernel } from '../kernel/kernel.ts';
import type { PciDevice, PciRange } from '../kernel/pci.ts';
import { Unsupported } from '../kernel/stops.ts';
import type { DeviceDefinition } from './define-device.ts';
import { PciFunction, type Placement } from './pci-function.ts';
import { type BusTrouble, busTrouble, genericTroubles, WORKS } from './troubles.ts';

/** Each slot has its own 16 MiB of memory space, 256 ports and 16 vectors, so devices never meet. */
const MEMORY = { start: 0xf000_0000, size: 0x0100_0000 };
const PORTS = { start: 0xc000, size: 0x100 };
const VECTORS = { start: 0x50, size: 16 };
const SLOTS = 8;

/** Where and how a device is plugged in. */
export interface Plugging {
  /** Tells several devices apart; the first by default. */
  readonly slot?: number;
  /** Which addresses, ports and vectors it is given: the slot's own by default, another slot's after a rebalance. */
  readonly resources?: number;
  /** `works`, or the trouble it shows: one of troubles.ts, or of the definition's own. */
  readonly hardware?: string;
}

function place(
  definition: DeviceDefinition<never, never>,
  [slot, resources]: readonly [slot: number, resources: number],
  { withheld = [] }: BusTrouble,
): Placement {
  const next = { memory: MEMORY.start + resources * MEMORY.size, port: PORTS.start + resources * PORTS.size };
  const end = { memory: next.memory + MEMORY.size, port: next.port + PORTS.size };
  const ranges = definition.bars.map(({ kind, size }): PciRange => {
    if (size < 4 || !Number.isInteger(Math.log2(size))) {
      throw new TypeError(`${definition.name}: a base address register of ${size} is not a power of two from 4 up`);
    }
    const start = Math.ceil(next[kind] / size) * size;
    next[kind] = start + size;
    if (next[kind] > end[kind]) throw new TypeError(`${definition.name}: its ${kind} ranges do not fit in a slot`);
    return { kind, start, size };
  });
  const { line, messages } = definition.interrupts;
  const count = (line ? 1 : 0) + messages;
  if (count > VECTORS.size) throw new TypeError(`${definition.name}: more than ${VECTORS.size} interrupts`);
  return {
    ranges,
    withheld,
    location: { bus: 1, device: slot, function: 0 },
    vectors: withheld.includes('interrupt')
      ? []
      : Array.from({ length: count }, (_, index) => VECTORS.start + resources * VECTORS.size + index),
  };
}

/** The troubles a device can show: those of any device with its resources, then its own. */
export function troublesOf(definition: DeviceDefinition<never, never>): string[] {
  const { line, messages } = definition.interrupts;
  const has = {
    memory: definition.bars.some(({ kind }) => kind === 'memory'),
    port: definition.bars.some(({ kind }) => kind === 'port'),
    interrupt: line || messages > 0,
  };
  return [...genericTroubles(has), ...Object.keys(definition.troubles ?? {})];
}

/**
 * Plugs a device into a machine. `options` are the definition's own; a trouble of the definition's changes them.
 * @throws Unsupported for a trouble that neither the bus nor the definition knows
 */
export function plug<S, O>(
  kernel: Kernel,
  definition: DeviceDefinition<S, O>,
  options: O,
  { slot = 0, resources = slot, hardware = WORKS }: Plugging = {},
): PciDevice {
  for (const number of [slot, resources]) {
    if (number < 0 || number >= SLOTS) throw new TypeError(`the bus has ${SLOTS} slots, not ${number + 1}`);
  }
  const own = definition.troubles?.[hardware];
  const trouble = own === undefined ? busTrouble(hardware) : {};
  if (trouble === undefined) {
    throw new Unsupported(`hardware trouble «${hardware}»`, `${definition.name} has no trouble «${hardware}»`);
  }
  const untyped = definition as DeviceDefinition<never, never>;
  kernel.trace.emit({
    kind: 'fact',
    what: 'device-plugged-in',
    detail: { device: definition.name, slot, hardware, troubles: troublesOf(untyped) },
  });
  return new PciFunction(
    definition,
    place(untyped, [slot, resources], trouble),
    kernel,
    { ...options, ...own },
    trouble,
  );
}
