/**
 * The device: haltex' sample NIC, as samples/c/nic/hardware.h describes it. All but the register accessors run at
 * PASSIVE_LEVEL.
 */
import {
  at,
  type Coroutine,
  NDIS_ERROR_CODE_HARDWARE_FAILURE,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_SUCCESS,
  NULL,
  pointer,
  struct,
  u32,
} from 'haltex';
import { type Adapter, type Nic, RX_DESCRIPTORS, TX_DESCRIPTORS } from './adapter.ts';

/** Offsets of the registers in BAR0. */
export const Register = {
  CTRL: 0x00,
  STATUS: 0x04,
  ICR: 0x08,
  IMS: 0x0c,
  IMC: 0x10,
  RX_BASE_LO: 0x20,
  RX_COUNT: 0x28,
  RX_TAIL: 0x30,
  TX_BASE_LO: 0x40,
  TX_COUNT: 0x48,
  TX_TAIL: 0x50,
  MAC_LO: 0x60,
  MAC_HI: 0x64,
  LINK_SPEED: 0x70,
} as const;
type Register = (typeof Register)[keyof typeof Register] | 0x24 | 0x44;

export const Ctrl = { RESET: 1, RX_ENABLE: 2, TX_ENABLE: 4, TICK_ENABLE: 8 } as const;
export const Status = { LINK_UP: 1, RX_ACTIVE: 2, TX_ACTIVE: 4, RESETTING: 8 } as const;
/** Nobody needs the tick to interrupt. */
export const Cause = { RX: 1, TX: 2, LINK: 4, TICK: 8, WANTED: 0x7, ALL: 0xf } as const;
/** Offsets of the I/O ports in BAR1. */
export const Port = { EEPROM_INDEX: 0x0, EEPROM_DATA: 0x4, LED: 0x8, WAKE: 0xc } as const;
/** What every register reads as when nobody answers on the bus. */
export const GONE = 0xffff_ffff;

const EEPROM_SUM = 0xbaba;
const POLLS = 200;
const POLL_DELAY_US = 100;

export const DESCRIPTOR = struct('NIC_DESCRIPTOR', { Buffer: pointer, Length: u32, Status: u32 });
export const Descriptor = { DONE: 1, END: 2 } as const;

/** False when registers and ports are off limits. Any IRQL. */
export const ready = (adapter: Adapter): boolean => adapter.Registers !== NULL && !adapter.Removed && !adapter.Asleep;

/** Any IRQL. */
export function read({ wdk }: Nic, adapter: Adapter, register: Register): number {
  return ready(adapter) ? wdk.memory.readU32(at(adapter.Registers, register)) : GONE;
}

/** Any IRQL. */
export function write({ wdk }: Nic, adapter: Adapter, register: Register, value: number): void {
  if (ready(adapter)) wdk.memory.writeU32(at(adapter.Registers, register), value);
}

export function writePort({ wdk }: Nic, adapter: Adapter, port: number, value: number): void {
  if (ready(adapter) && adapter.PortOffset !== NULL) wdk.writePort(adapter.PortOffset + port, 1, value);
}

/** True once none of the STATUS bits is left. Rule wait-by-busy-loop: it sleeps, and not for ever. */
function* statusClears(nic: Nic, adapter: Adapter, bits: number): Coroutine<boolean> {
  for (let poll = 0; poll < POLLS; poll++) {
    const value = read(nic, adapter, Register.STATUS);
    // Rule halt-touches-removed-hardware: all ones mean that nobody is there, not "still active".
    if (value === GONE) return false;
    if ((value & bits) === 0) return true;
    yield* nic.wdk.NdisMSleep({ MicrosecondsToSleep: POLL_DELAY_US });
  }
  return false;
}

function writeRing(nic: Nic, adapter: Adapter, base: 0x20 | 0x40, physical: number, count: number): void {
  write(nic, adapter, base, physical % 2 ** 32);
  write(nic, adapter, (base + 4) as Register, Math.floor(physical / 2 ** 32));
  write(nic, adapter, base === Register.RX_BASE_LO ? Register.RX_COUNT : Register.TX_COUNT, count);
}

export const hardware = {
  /** Resets the NIC and reads its EEPROM. From here on, giving up means stopping it. */
  *acquire(nic: Nic, adapter: Adapter): Coroutine<number> {
    const works = (yield* nic.parts.hardware.reset(nic, adapter)) && nic.parts.hardware.readEeprom(nic, adapter);
    if (works) return NDIS_STATUS_SUCCESS;
    yield* nic.wdk.NdisWriteErrorLogEntry({
      NdisAdapterHandle: adapter.AdapterHandle,
      ErrorCode: NDIS_ERROR_CODE_HARDWARE_FAILURE,
      NumberOfErrorValues: 1,
      ErrorValues: [read(nic, adapter, Register.STATUS)],
    });
    yield* nic.parts.hardware.release(nic, adapter);
    return NDIS_STATUS_FAILURE;
  },

  /** Afterwards: interrupts masked, DMA and tick off, ring heads at 0. */
  *reset(nic: Nic, adapter: Adapter): Coroutine<boolean> {
    write(nic, adapter, Register.IMC, Cause.ALL);
    write(nic, adapter, Register.CTRL, Ctrl.RESET);
    return yield* statusClears(nic, adapter, Status.RESETTING);
  },

  readEeprom({ wdk }: Nic, adapter: Adapter): boolean {
    const words = [0, 1, 2, 3].map((index) => {
      wdk.writePort(adapter.PortOffset + Port.EEPROM_INDEX, 2, index);
      return wdk.readPort(adapter.PortOffset + Port.EEPROM_DATA, 2);
    });
    const sum = words.reduce((total, word) => total + word, 0);
    if ((sum & 0xffff) !== EEPROM_SUM) return false;
    adapter.PermanentAddress = Uint8Array.from(words.slice(0, 3).flatMap((word) => [word & 0xff, word >> 8]));
    // What the configuration overrode stays.
    if (adapter.CurrentAddress.every((byte) => byte === 0)) adapter.CurrentAddress = adapter.PermanentAddress;
    return true;
  },

  /** After a reset: rings, address, tick, wake-up. DMA stays off until MiniportRestart. */
  *program(nic: Nic, adapter: Adapter): Coroutine<void> {
    const rings = adapter.Rings.PhysicalAddress;
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = adapter.CurrentAddress;
    writeRing(nic, adapter, Register.RX_BASE_LO, rings, RX_DESCRIPTORS);
    writeRing(nic, adapter, Register.TX_BASE_LO, rings + RX_DESCRIPTORS * DESCRIPTOR.size, TX_DESCRIPTORS);
    write(nic, adapter, Register.TX_TAIL, 0);
    write(nic, adapter, Register.MAC_LO, a | (b << 8) | (c << 16) | (d << 24));
    write(nic, adapter, Register.MAC_HI, e | (f << 8));
    yield* nic.parts.receive.resetRing(nic, adapter);
    write(nic, adapter, Register.CTRL, Ctrl.TICK_ENABLE);
    writePort(nic, adapter, Port.WAKE, 1);
  },

  startDma(nic: Nic, adapter: Adapter): void {
    write(nic, adapter, Register.CTRL, Ctrl.TICK_ENABLE | Ctrl.RX_ENABLE | Ctrl.TX_ENABLE);
  },

  /** DMA has stopped when the ACTIVE bits say so, not when the ENABLE bits are cleared. */
  *stopDma(nic: Nic, adapter: Adapter): Coroutine<void> {
    write(nic, adapter, Register.CTRL, Ctrl.TICK_ENABLE);
    yield* statusClears(nic, adapter, Status.RX_ACTIVE | Status.TX_ACTIVE);
  },

  /** Rule halt-leaves-nic-running: interrupts, DMA, tick and wake-up all off. */
  *release(nic: Nic, adapter: Adapter): Coroutine<void> {
    write(nic, adapter, Register.IMC, Cause.ALL);
    write(nic, adapter, Register.CTRL, 0);
    const stopped = yield* statusClears(nic, adapter, Status.RX_ACTIVE | Status.TX_ACTIVE);
    if (!stopped && ready(adapter)) yield* nic.parts.hardware.reset(nic, adapter);
    writePort(nic, adapter, Port.LED, 0);
    writePort(nic, adapter, Port.WAKE, 0);
  },
};
