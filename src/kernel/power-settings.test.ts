import { expect, it } from 'vitest';
import { type Address, NULL } from '../trace/units.ts';
import { Unsupported } from './stops.ts';
import { testKernel } from './testing.ts';

const AC_DC = Uint8Array.of(
  0x59,
  0x9a,
  0x3e,
  0x5d,
  0xd5,
  0xe9,
  0x00,
  0x4b,
  0xa6,
  0xbd,
  0xff,
  0x34,
  0xff,
  0x51,
  0x65,
  0x48,
);

it('tells the present value at once, and is owed', () => {
  const { kernel, wdk, run } = testKernel();
  const SettingGuid = kernel.heap.allocate(16, 'GUID');
  kernel.memory.write(SettingGuid, AC_DC);
  const seen: number[] = [];
  const Callback = ({ Value, ValueLength }: { Value: Address; ValueLength: number }) => {
    seen.push(ValueLength, kernel.memory.readU32(Value));
    return 0;
  };
  const registering = { DeviceObject: NULL, SettingGuid, Callback, Context: NULL };
  run(function* () {
    const { Handle } = yield* wdk.PoRegisterPowerSettingCallback(registering);
    expect(yield* wdk.PoUnregisterPowerSettingCallback({ Handle })).toBe(0);
    expect(yield* wdk.PoUnregisterPowerSettingCallback({ Handle })).toBe(0xc000000d);
  });
  expect(seen).toEqual([4, 0]);
  const ledger = kernel.trace.events.flatMap((event) => (event.kind === 'undo' ? [event.outcome] : []));
  expect(ledger).toEqual(['undone', 'again']);
  kernel.memory.writeU32(SettingGuid, 0);
  expect(() => run(() => wdk.PoRegisterPowerSettingCallback(registering))).toThrow(Unsupported);
});
