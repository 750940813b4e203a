/**
 * haltex' sample NIC: a small bus-master Ethernet controller with everything a miniport can forget to stop. Registers in BAR0,
 * an EEPROM, LEDs and wake-up behind the ports of BAR1, one line interrupt and two messages, a receive and a transmit ring.
 * The miniports in samples/ drive it; samples/c/nic/hardware.h describes it from their side.
 */
import type { DmaTarget } from '../kernel/dma-mappings.ts';
import { MICROSECOND, MILLISECOND } from '../trace/units.ts';
import { type Device, defineDevice, memoryBar, portBar, type Timer } from './define-device.ts';

const Ctrl = { RESET: 1, RX_ENABLE: 2, TX_ENABLE: 4, TICK_ENABLE: 8 } as const;
const Status = { LINK_UP: 1, RX_ACTIVE: 2, TX_ACTIVE: 4, RESETTING: 8 } as const;
const Cause = { RX: 1, TX: 2, LINK: 4, TICK: 8 } as const;
const ALL_CAUSES = 0xf;
/** Bits of a descriptor's status. */
const Descriptor = { SIZE: 16, DONE: 1, END_OF_PACKET: 2 } as const;

const TICK = 50 * MILLISECOND;
/** From a frame's arrival, or a tail's bump, to the DMA. */
const LATENCY = 5 * MICROSECOND;
/** From the end of a reset until the link has been negotiated. */
const LINK_TIME = MILLISECOND;
/** A bound on rings a driver may announce. */
const MAX_RING = 4096;

/** What a scenario may vary. */
export interface NicOptions {
  readonly mac?: readonly number[];
  /** Reads of STATUS until RX_ACTIVE and TX_ACTIVE drop after their enable bit was cleared; Infinity never stops. */
  readonly stopReads?: number;
  /** Reads of CTRL or STATUS until a reset is over; Infinity never ends. */
  readonly resetReads?: number;
  /** The firmware left the link interrupt enabled and pending. */
  readonly interruptsAtStart?: boolean;
  readonly linkUp?: boolean;
  /** The EEPROM's words do not add up. */
  readonly eepromWrong?: boolean;
}

/** One DMA engine. */
interface Ring {
  readonly name: 'receive' | 'transmit';
  active: boolean;
  /** Reads of STATUS left until it stops, once its enable bit was cleared. */
  stopping: number | undefined;
  working: boolean;
}

interface State {
  readonly options: Required<NicOptions>;
  readonly eeprom: readonly number[];
  ctrl: number;
  resetting: number;
  causes: number;
  mask: number;
  readonly receive: Ring;
  readonly transmit: Ring;
  tick: Timer | undefined;
  link: Timer | undefined;
  linkUp: boolean;
}

type Nic = Device<State>;

const prefix = { receive: 'RX', transmit: 'TX' } as const;
const ringRegisters = ['BASE_LO', 'BASE_HI', 'COUNT', 'HEAD', 'TAIL'] as const;

function register(nic: Nic, ring: Ring, name: (typeof ringRegisters)[number]): number {
  return nic.registers[`${prefix[ring.name]}_${name}`] as number;
}

function ringBase(nic: Nic, ring: Ring): number {
  return register(nic, ring, 'BASE_HI') * 2 ** 32 + register(nic, ring, 'BASE_LO');
}

function ringCount(nic: Nic, ring: Ring): number {
  return Math.min(register(nic, ring, 'COUNT'), MAX_RING);
}

/** Indexes of the descriptors the device owns: [HEAD, TAIL). */
function owned(nic: Nic, ring: Ring): number[] {
  const count = ringCount(nic, ring);
  if (count === 0) return [];
  const head = register(nic, ring, 'HEAD') % count;
  const tail = register(nic, ring, 'TAIL') % count;
  return Array.from({ length: (tail - head + count) % count }, (_, i) => (head + i) % count);
}

interface Slot {
  readonly index: number;
  readonly at: number;
  readonly buffer: number;
  readonly length: number;
  readonly end: boolean;
}

function decode(nic: Nic, ring: Ring, index: number, bytes: Uint8Array): Slot {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    index,
    at: ringBase(nic, ring) + index * Descriptor.SIZE,
    buffer: Number(view.getBigUint64(0, true)),
    length: view.getUint32(8, true),
    end: (view.getUint32(12, true) & Descriptor.END_OF_PACKET) !== 0,
  };
}

function fetch(nic: Nic, ring: Ring, index: number): Slot {
  return decode(nic, ring, index, nic.readMemory(ringBase(nic, ring) + index * Descriptor.SIZE, Descriptor.SIZE));
}

/** Writes length and status back and moves HEAD past the descriptor. */
function finish(nic: Nic, ring: Ring, slot: Slot, length: number, end: boolean): void {
  const words = new DataView(new ArrayBuffer(8));
  words.setUint32(0, length, true);
  words.setUint32(4, Descriptor.DONE | (end ? Descriptor.END_OF_PACKET : 0), true);
  nic.writeMemory(slot.at + 8, new Uint8Array(words.buffer));
  nic.registers[`${prefix[ring.name]}_HEAD`] = (slot.index + 1) % ringCount(nic, ring);
}

function update(nic: Nic): void {
  const pending = nic.state.causes & nic.state.mask;
  nic.interrupts((pending & ~Cause.LINK) !== 0, (pending & Cause.LINK) !== 0);
}

function raise(nic: Nic, cause: number): void {
  nic.state.causes |= cause;
  update(nic);
}

/** A frame fills as many descriptors as it needs; without enough of them it is lost. */
function deliver(nic: Nic, frame: Uint8Array): void {
  const ring = nic.state.receive;
  if (!ring.active) return;
  const slots: Slot[] = [];
  let room = 0;
  for (const index of owned(nic, ring)) {
    if (room >= frame.length) break;
    const slot = fetch(nic, ring, index);
    slots.push(slot);
    room += slot.length;
  }
  if (room < frame.length) return;
  let done = 0;
  for (const slot of slots) {
    const part = frame.subarray(done, done + slot.length);
    nic.writeMemory(slot.buffer, part);
    done += part.length;
    finish(nic, ring, slot, part.length, done === frame.length);
  }
  raise(nic, Cause.RX);
}

/** Sends one packet of the transmit ring, and goes on while there are more. */
function send(nic: Nic): void {
  const ring = nic.state.transmit;
  if (ring.working || !ring.active || owned(nic, ring).length === 0) return;
  ring.working = true;
  nic.after(LATENCY, () => {
    ring.working = false;
    if (!ring.active) return;
    const parts: Uint8Array[] = [];
    for (const index of owned(nic, ring)) {
      const slot = fetch(nic, ring, index);
      parts.push(nic.readMemory(slot.buffer, slot.length));
      finish(nic, ring, slot, slot.length, slot.end);
      if (!slot.end) continue;
      nic.transmit(joined(parts));
      break;
    }
    raise(nic, Cause.TX);
    send(nic);
  });
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** DMA goes on until the ACTIVE bit says that it has stopped. */
function enable(nic: Nic, ring: Ring, on: boolean): void {
  if (on) {
    ring.active = true;
    ring.stopping = undefined;
    if (ring.name === 'transmit') send(nic);
  } else if (ring.active) {
    ring.stopping ??= nic.state.options.stopReads;
  }
}

function setTick(nic: Nic, on: boolean): void {
  const { state } = nic;
  if (on) state.tick ??= nic.every(TICK, () => raise(nic, Cause.TICK));
  else {
    state.tick?.stop();
    state.tick = undefined;
  }
}

/** A reset ends DMA, interrupts and the tick at once; STATUS tells when the NIC may be programmed again. */
function reset(nic: Nic): void {
  const { state } = nic;
  state.ctrl = 0;
  state.mask = 0;
  state.causes = 0;
  for (const ring of [state.receive, state.transmit]) {
    ring.active = false;
    ring.stopping = undefined;
    nic.resetRegisters(...ringRegisters.map((name) => `${prefix[ring.name]}_${name}`));
  }
  nic.resetRegisters('MAC_LO', 'MAC_HI');
  setTick(nic, false);
  state.resetting = state.options.resetReads;
  state.link?.stop();
  state.link = nic.after(LINK_TIME, () => raise(nic, Cause.LINK));
  update(nic);
}

function control(nic: Nic, value: number): void {
  if ((value & Ctrl.RESET) !== 0) {
    reset(nic);
    return;
  }
  nic.state.ctrl = value & (Ctrl.RX_ENABLE | Ctrl.TX_ENABLE | Ctrl.TICK_ENABLE);
  enable(nic, nic.state.receive, (value & Ctrl.RX_ENABLE) !== 0);
  enable(nic, nic.state.transmit, (value & Ctrl.TX_ENABLE) !== 0);
  setTick(nic, (value & Ctrl.TICK_ENABLE) !== 0);
}

/** Polls let a reset, and DMA that is to stop, come to their end. */
function status(nic: Nic): number {
  const { state } = nic;
  if (state.resetting > 0) state.resetting--;
  for (const ring of [state.receive, state.transmit]) {
    if (ring.stopping === undefined) continue;
    if (ring.stopping-- > 0) continue;
    ring.active = false;
    ring.stopping = undefined;
  }
  return (
    (state.linkUp ? Status.LINK_UP : 0) |
    (state.receive.active ? Status.RX_ACTIVE : 0) |
    (state.transmit.active ? Status.TX_ACTIVE : 0) |
    (state.resetting > 0 ? Status.RESETTING : 0)
  );
}

/** Words 0 to 2 are the address, word 3 makes all four sum to 0xBABA, unless the EEPROM is wrong. */
function eepromOf(mac: readonly number[], wrong: boolean): number[] {
  const words = [0, 2, 4].map((i) => (mac[i] as number) | ((mac[i + 1] as number) << 8));
  const sum = words.reduce((total, word) => total + word, 0);
  return [...words, (0xbaba - sum + (wrong ? 1 : 0)) & 0xffff];
}

const rw = (at: number) => ({ at });
const ro = (at: number, value = 0) => ({ at, readOnly: true, reset: value });

/** haltex' own NIC: registers, DMA rings, line and message interrupts. docs/devices.md has its data sheet. */
export const sampleNic = defineDevice<State, NicOptions>({
  name: 'haltex sample NIC',
  identity: { vendor: 0x4858, device: 0x0001 },
  interrupts: { line: true, messages: 2 },
  bars: [
    memoryBar(0x1000, {
      CTRL: {
        at: 0x00,
        read: ({ state }) => state.ctrl | (state.resetting > 0 && state.resetting-- > 0 ? Ctrl.RESET : 0),
        write: control,
      },
      STATUS: { at: 0x04, readOnly: true, read: status },
      ICR: {
        at: 0x08,
        readOnly: true,
        read(nic) {
          const causes = nic.state.causes;
          nic.state.causes = 0;
          update(nic);
          return causes;
        },
      },
      IMS: {
        at: 0x0c,
        read: ({ state }) => state.mask,
        write(nic, value) {
          nic.state.mask |= value & ALL_CAUSES;
          update(nic);
        },
      },
      IMC: {
        at: 0x10,
        read: () => 0,
        write(nic, value) {
          nic.state.mask &= ~value;
          update(nic);
        },
      },
      RX_BASE_LO: rw(0x20),
      RX_BASE_HI: rw(0x24),
      RX_COUNT: rw(0x28),
      RX_HEAD: ro(0x2c),
      RX_TAIL: rw(0x30),
      TX_BASE_LO: rw(0x40),
      TX_BASE_HI: rw(0x44),
      TX_COUNT: rw(0x48),
      TX_HEAD: ro(0x4c),
      TX_TAIL: {
        at: 0x50,
        write(nic, value) {
          nic.registers.TX_TAIL = value;
          send(nic);
        },
      },
      MAC_LO: rw(0x60),
      MAC_HI: rw(0x64),
      LINK_SPEED: ro(0x70, 1000),
    }),
    portBar(32, {
      EEPROM_INDEX: { at: 0x0, size: 2 },
      EEPROM_DATA: {
        at: 0x4,
        size: 2,
        readOnly: true,
        read: ({ state, registers }) => state.eeprom[registers.EEPROM_INDEX as number] ?? 0xffff,
      },
      LED: { at: 0x8, size: 1 },
      WAKE: { at: 0xc, size: 1 },
    }),
  ],
  // "Late" is well within the 200 polls its drivers allow.
  troubles: {
    'eeprom-wrong': { eepromWrong: true },
    'no-link': { linkUp: false },
    'reset-late': { resetReads: 100 },
    'reset-never-completes': { resetReads: Number.POSITIVE_INFINITY },
    'dma-stops-late': { stopReads: 100 },
    'interrupts-at-start': { interruptsAtStart: true },
  },
  state: (options) => {
    const mac = options.mac ?? [0x02, 0x48, 0x58, 0x00, 0x00, 0x01];
    return {
      options: {
        stopReads: 3,
        resetReads: 2,
        interruptsAtStart: false,
        linkUp: true,
        eepromWrong: false,
        ...options,
        mac,
      },
      eeprom: eepromOf(mac, options.eepromWrong === true),
      ctrl: 0,
      resetting: 0,
      causes: 0,
      mask: 0,
      receive: { name: 'receive', active: false, stopping: undefined, working: false },
      transmit: { name: 'transmit', active: false, stopping: undefined, working: false },
      tick: undefined,
      link: undefined,
      linkUp: options.linkUp ?? true,
    };
  },
  started(nic) {
    if (!nic.state.options.interruptsAtStart) return;
    nic.state.mask = Cause.LINK;
    raise(nic, Cause.LINK);
  },
  receive(nic, frame) {
    nic.after(LATENCY, () => deliver(nic, frame));
  },
  provoke: (nic) => raise(nic, Cause.LINK),
  cable(nic, connected) {
    nic.state.linkUp = connected;
    raise(nic, Cause.LINK);
  },
  activity({ state, registers }) {
    return [
      ...(state.receive.active ? ['receive DMA'] : []),
      ...(state.transmit.active ? ['transmit DMA'] : []),
      ...(state.mask !== 0 ? ['interrupts enabled'] : []),
      ...(state.tick !== undefined ? ['tick running'] : []),
      ...(registers.WAKE !== 0 ? ['wake-up armed'] : []),
    ];
  },
  dmaTargets(nic) {
    return [nic.state.receive, nic.state.transmit].flatMap((ring): DmaTarget[] => {
      if (!ring.active) return [];
      const base = ringBase(nic, ring);
      const buffers = owned(nic, ring).flatMap((index) => {
        const bytes = nic.peekMemory(base + index * Descriptor.SIZE, Descriptor.SIZE);
        if (bytes === undefined) return [];
        const { buffer, length } = decode(nic, ring, index, bytes);
        return [{ physical: buffer, size: length, use: `${ring.name} buffer ${index}` }];
      });
      return [{ physical: base, size: ringCount(nic, ring) * Descriptor.SIZE, use: `${ring.name} ring` }, ...buffers];
    });
  },
});
