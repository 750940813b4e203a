/**
 * A NIC nobody has modelled: ids as the driver's INF has them, resources as most NICs have them, registers that answer by trying.
 * It carries no frames and never interrupts by itself; it is there to let MiniportInitializeEx get further than giving up.
 */
import type { PciIdentity } from './config-space.ts';
import { type Device, type DeviceDefinition, defineDevice, memoryBar, portBar } from './define-device.ts';
import type { UnknownRegisters } from './registers.ts';

export interface GenericOptions {
  /**
   * What a register answers. `ready`: what was written, and something else when it is polled, for what is polled is to change.
   * `keep`: what was written, always. `zeros`, `ones`: that, whatever was written.
   */
  readonly answers?: 'ready' | 'keep' | 'zeros' | 'ones';
}

interface State {
  readonly answers: Required<GenericOptions>['answers'];
  /** Bytes written, by BAR and offset. */
  readonly kept: Map<number, number>;
  /** Reads of a register since the last write to the device. */
  readonly polls: Map<number, number>;
}

/** BARs lie apart in the maps' keys. */
const BAR = 2 ** 32;
/** Reads that may well be no polling. */
const PATIENCE = 2;

/** The nth poll's answer: bits turn round, all, every other one, then one after the other. Never all ones: that is no device. */
function polled(kept: number, poll: number, size: number): number {
  const all = 2 ** (8 * size) - 1;
  const turns = [all, 0x5555_5555, 0xaaaa_aaaa, 0];
  const turn = turns[poll] ?? 2 ** ((poll - turns.length) % (8 * size));
  const answer = ((kept ^ turn) >>> 0) % (all + 1);
  return answer === all ? Math.floor(all / 2) : answer;
}

function answering(bar: number): UnknownRegisters<Device<State>> {
  const keptAt = ({ kept }: State, offset: number, size: number) => {
    let value = 0;
    for (let i = 0; i < size; i++) value += (kept.get(bar * BAR + offset + i) ?? 0) * 2 ** (8 * i);
    return value;
  };
  return {
    read({ state }, offset, size) {
      if (state.answers === 'zeros') return 0;
      if (state.answers === 'ones') return 2 ** (8 * size) - 1;
      const value = keptAt(state, offset, size);
      if (state.answers === 'keep') return value;
      const at = bar * BAR + offset;
      const polls = state.polls.get(at) ?? 0;
      state.polls.set(at, polls + 1);
      return polls < PATIENCE ? value : polled(value, polls - PATIENCE, size);
    },
    write({ state }, offset, size, value) {
      state.polls.clear();
      for (let i = 0; i < size; i++) state.kept.set(bar * BAR + offset + i, Math.floor(value / 2 ** (8 * i)) % 256);
    },
  };
}

const HARDWARE_ID =
  /^PCI\\VEN_([0-9A-F]{4})&DEV_([0-9A-F]{4})(?:&SUBSYS_([0-9A-F]{4})([0-9A-F]{4}))?(?:&REV_([0-9A-F]{2}))?/i;

/** What a hardware id says of a PCI function; undefined for another bus'. */
export function identityOf(hardwareId: string): PciIdentity | undefined {
  const parts = HARDWARE_ID.exec(hardwareId)?.slice(1);
  if (parts === undefined) return undefined;
  const [vendor, device, subsystem, subsystemVendor, revision] = parts.map((text) =>
    text === undefined ? undefined : Number.parseInt(text, 16),
  ) as [number, number, ...(number | undefined)[]];
  return {
    vendor,
    device,
    ...(subsystem === undefined ? {} : { subsystem }),
    ...(subsystemVendor === undefined ? {} : { subsystemVendor }),
    ...(revision === undefined ? {} : { revision }),
  };
}

/** An Ethernet controller with those ids. The sizes are an Intel one's, which others' drivers take as well. */
export function genericNic(identity: PciIdentity): DeviceDefinition<State, GenericOptions> {
  return defineDevice<State, GenericOptions>({
    name: 'a NIC without a model',
    identity,
    guessed: true,
    interrupts: { line: true, messages: 8, capability: 'msi-x' },
    bars: [
      memoryBar(0x2_0000, {}, answering(0)),
      portBar(0x100, {}, answering(1)),
      memoryBar(0x4000, {}, answering(2)),
    ],
    troubles: {
      'registers-keep': { answers: 'keep' },
      'registers-read-zeros': { answers: 'zeros' },
      'registers-read-ones': { answers: 'ones' },
    },
    state: ({ answers = 'ready' }) => ({ answers, kept: new Map(), polls: new Map() }),
    // What it would do on its own is not known, so nothing is held against the driver.
    activity: () => [],
  });
}
