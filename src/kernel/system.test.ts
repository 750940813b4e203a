import { describe, expect, it } from 'vitest';
import { at, type VirtualTime } from '../trace/units.ts';
import { GivenArguments } from './arguments.ts';
import { SHARED_USER_DATA, TICK } from './shared-user-data.ts';
import { BugCheck, Unsupported } from './stops.ts';
import { wideBytes } from './strings.ts';
import { OSVERSIONINFOEXW } from './system.ts';
import { testKernel } from './testing.ts';

describe('the system', () => {
  it('is Windows 10, and says so through every door', () => {
    const { kernel, wdk, run } = testKernel();
    const info = kernel.heap.allocate(OSVERSIONINFOEXW.size, 'version', { fill: 0 });
    kernel.memory.writeU32(info, OSVERSIONINFOEXW.size);
    run(() => wdk.RtlGetVersion({ VersionInformation: info }));
    const { dwMajorVersion, dwBuildNumber } = OSVERSIONINFOEXW.at(kernel.memory, info);
    expect([OSVERSIONINFOEXW.size, dwMajorVersion, dwBuildNumber]).toEqual([284, 10, 19045]);
    expect(kernel.memory.readU32(at(SHARED_USER_DATA, 0x26c))).toBe(10);
    const atLeast = (major: number, minor: number) =>
      run(function* () {
        let mask = yield* wdk.VerSetConditionMask({ ConditionMask: 0n, TypeMask: 2, Condition: 3 });
        mask = yield* wdk.VerSetConditionMask({ ConditionMask: mask, TypeMask: 1, Condition: 3 });
        const VersionInfo = { dwMajorVersion: major, dwMinorVersion: minor };
        return yield* wdk.RtlVerifyVersionInfo({ VersionInfo, TypeMask: 3, ConditionMask: mask });
      });
    expect([atLeast(6, 3), atLeast(10, 0), atLeast(11, 0)]).toEqual([0, 0, 0xc0000059]);
  });

  it('finds routines by name; what haltex lacks is unsupported when called', () => {
    const { kernel, wdk, run } = testKernel();
    const address = (name: string) => {
      const Buffer = kernel.heap.allocate(2 * name.length, 'name');
      kernel.memory.write(Buffer, wideBytes(name));
      const SystemRoutineName = { Length: 2 * name.length, MaximumLength: 2 * name.length, Buffer };
      return run(() => wdk.MmGetSystemRoutineAddress({ SystemRoutineName }));
    };
    expect(kernel.code.at(address('KeBugCheckEx'))?.kind).toBe('function');
    const missing = kernel.code.at(address('KeSomethingNew'));
    expect(missing?.kind).toBe('missing');
    expect(() =>
      run(() => kernel.calls.perform(missing as never, new GivenArguments([]), 0 as never) as never),
    ).toThrow(Unsupported);
  });

  it('stops when the driver says so', () => {
    const { wdk, run } = testKernel();
    expect(() => run(() => wdk.KeBugCheckEx({ BugCheckCode: 0xe2, P1: 1n, P2: 0n, P3: 0n, P4: 0n }))).toThrow(BugCheck);
  });

  it('draws the same numbers in every run', () => {
    const draw = () => {
      const { kernel, wdk, run } = testKernel();
      const uuid = kernel.heap.allocate(16, 'uuid', { fill: 0 });
      run(() => wdk.ExUuidCreate({ Uuid: uuid }));
      return [...kernel.memory.read(uuid, 16)];
    };
    expect(draw()).toEqual(draw());
  });
});

describe('clocks', () => {
  it('show one virtual time', () => {
    const { kernel, wdk, run } = testKernel();
    kernel.clock.skipTo((10 * TICK) as VirtualTime);
    expect(run(() => wdk.KeQueryInterruptTime({}))).toBe(BigInt(10 * TICK));
    expect(run(() => wdk.KeQueryTickCount({})).CurrentCount).toBe(10n);
    expect(kernel.memory.readU64(at(SHARED_USER_DATA, 0x8))).toBe(BigInt(10 * TICK));
    expect(kernel.memory.readU64(at(SHARED_USER_DATA, 0x320))).toBe(10n);
    expect(kernel.memory.readU64(at(SHARED_USER_DATA, 0x14))).toBe(kernel.clock.systemTime);
    run(() => wdk.KeStallExecutionProcessor({ MicroSeconds: 50 }));
    expect(kernel.clock.now).toBe(10 * TICK + 500);
  });

  it('tell the calendar', () => {
    const { kernel, wdk, run } = testKernel();
    const time = kernel.heap.allocate(8, 'time');
    const fields = kernel.heap.allocate(16, 'fields');
    kernel.memory.writeU64(time, kernel.clock.systemTime);
    run(() => wdk.RtlTimeToTimeFields({ Time: time, TimeFields: fields }));
    expect([0, 2, 4, 14].map((offset) => kernel.memory.readU16(at(fields, offset)))).toEqual([2026, 1, 1, 4]);
    kernel.memory.writeU64(time, 0n);
    expect(run(() => wdk.RtlTimeFieldsToTime({ TimeFields: fields, Time: time }))).toBe(true);
    expect(kernel.memory.readU64(time)).toBe(kernel.clock.systemTime);
    for (const date of [Date.UTC(1601, 0, 1), Date.UTC(2000, 1, 29, 23, 59, 59, 999), Date.UTC(2100, 11, 31)]) {
      const written = BigInt(date) * 10_000n + 116_444_736_000_000_000n;
      kernel.memory.writeU64(time, written);
      run(() => wdk.RtlTimeToTimeFields({ Time: time, TimeFields: fields }));
      const [year, month, day, weekday] = [0, 2, 4, 14].map((offset) => kernel.memory.readU16(at(fields, offset)));
      const expected = new Date(date);
      expect([year, month, day, weekday]).toEqual([
        expected.getUTCFullYear(),
        expected.getUTCMonth() + 1,
        expected.getUTCDate(),
        expected.getUTCDay(),
      ]);
      run(() => wdk.RtlTimeFieldsToTime({ TimeFields: fields, Time: time }));
      expect(kernel.memory.readU64(time)).toBe(written);
    }
  });
});

describe('processors', () => {
  it('are a variable too', () => {
    const { kernel } = testKernel({ processors: 2 });
    expect(kernel.memory.readU8(kernel.code.resolve('KeNumberProcessors', 'ntoskrnl.exe'))).toBe(2);
  });

  it('are counted and named', () => {
    const { kernel, wdk, run } = testKernel({ processors: 2 });
    expect(run(() => wdk.KeQueryActiveProcessorCountEx({ GroupNumber: 0xffff }))).toBe(2);
    expect(run(() => wdk.KeGetProcessorNumberFromIndex({ ProcIndex: 2 })).result).toBe(0xc000000d);
    const length = kernel.heap.allocate(4, 'length', { fill: 0 });
    const ask = (Information: number) =>
      run(() =>
        wdk.KeQueryLogicalProcessorRelationship({
          ProcessorNumber: 0 as never,
          RelationshipType: 4,
          Information: Information as never,
          Length: length,
        }),
      );
    expect([ask(0), kernel.memory.readU32(length)]).toEqual([0xc0000004, 80]);
    const info = kernel.heap.allocate(80, 'information', { fill: 0 });
    expect([ask(info), kernel.memory.readU8(at(info, 0x21)), kernel.memory.readU64(at(info, 0x48))]).toEqual([
      0,
      2,
      3n,
    ]);
  });
});
