import { describe, expect, it } from 'vitest';
import { type Address, NULL } from '../trace/units.ts';
import { UNICODE_STRING, unicodeText, wideBytes } from './strings.ts';
import { testKernel } from './testing.ts';
import { guidText } from './text-conversions.ts';

function setUp() {
  const test = testKernel({ processors: 2 });
  const { kernel } = test;
  const ledger = () =>
    kernel.trace.events.flatMap((event) =>
      event.kind === 'acquire' ? [`+${event.type}`] : event.kind === 'undo' ? [`${event.outcome} ${event.type}`] : [],
    );
  return { ...test, ledger };
}

describe('callbacks', () => {
  it('of an object are called with both arguments until they are unregistered', () => {
    const { kernel, wdk, run, ledger } = setUp();
    const Buffer = kernel.heap.allocate(12, 'name');
    kernel.memory.write(Buffer, wideBytes('\\Mine\0'));
    const ObjectName = kernel.heap.allocate(16, 'name');
    UNICODE_STRING.write(kernel.memory, ObjectName, { Length: 10, MaximumLength: 12, Buffer });
    const seen: unknown[] = [];
    run(function* () {
      const { CallbackObject } = yield* wdk.ExCreateCallback({
        ObjectAttributes: { Length: 48, ObjectName },
        Create: true,
        AllowMultipleCallbacks: true,
      });
      const registration = yield* wdk.ExRegisterCallback({
        CallbackObject,
        CallbackFunction: (args: object) => seen.push(...Object.values(args)),
        CallbackContext: 1 as Address,
      });
      const notify = { CallbackObject, Argument1: 2 as Address, Argument2: 3 as Address };
      yield* wdk.ExNotifyCallback(notify);
      yield* wdk.ExUnregisterCallback({ CallbackRegistration: registration });
      yield* wdk.ExNotifyCallback(notify);
    });
    expect(seen).toEqual([1, 2, 3]);
    expect(ledger()).toEqual(['+object-reference', '+callbacks', 'undone callbacks']);
  });

  it('of the system are there without being made', () => {
    const { kernel, wdk, run, ledger } = setUp();
    const Buffer = kernel.heap.allocate(46, 'name');
    kernel.memory.write(Buffer, wideBytes('\\Callback\\SetSystemTime'));
    const ObjectName = kernel.heap.allocate(16, 'name');
    UNICODE_STRING.write(kernel.memory, ObjectName, { Length: 46, MaximumLength: 46, Buffer });
    run(function* () {
      const { CallbackObject } = yield* wdk.ExCreateCallback({
        ObjectAttributes: { Length: 48, ObjectName },
        Create: false,
        AllowMultipleCallbacks: true,
      });
      expect(CallbackObject).not.toBe(NULL);
    });
    expect(ledger()).toEqual(['+object-reference']);
  });

  it('hear of the processors that are there', () => {
    const { kernel, wdk, run, ledger } = setUp();
    const seen: number[] = [];
    run(function* () {
      const handle = yield* wdk.KeRegisterProcessorChangeCallback({
        CallbackFunction: ({ ChangeContext }: { ChangeContext: Address }) => {
          seen.push(kernel.memory.readU32((ChangeContext + 4) as Address));
        },
        CallbackContext: NULL,
        Flags: 1,
      });
      yield* wdk.KeDeregisterProcessorChangeCallback({ CallbackHandle: handle });
    });
    expect(seen).toEqual([0, 1]);
    expect(ledger()).toEqual(['+callbacks', 'undone callbacks']);
  });
});

describe('event tracing', () => {
  it('registers, accepts writes nobody reads, and is owed', () => {
    const { kernel, wdk, run, ledger } = setUp();
    const ProviderId = kernel.heap.allocate(16, 'GUID', { fill: 1 });
    run(function* () {
      const provider = { ProviderId, EnableCallback: NULL, CallbackContext: NULL };
      const { RegHandle } = yield* wdk.EtwRegister(provider);
      const handle = Number(RegHandle);
      expect(yield* wdk.EtwEventEnabled({ RegHandle: handle, EventDescriptor: NULL })).toBe(false);
      const event = { EventDescriptor: NULL, ActivityId: NULL, UserDataCount: 0, UserData: NULL };
      expect(yield* wdk.EtwWrite({ RegHandle: handle, ...event })).toBe(0);
      expect(yield* wdk.EtwUnregister({ RegHandle: handle })).toBe(0);
      expect(yield* wdk.EtwWrite({ RegHandle: handle, ...event })).toBe(0xc0000008);
      yield* wdk.IoWMIRegistrationControl({ DeviceObject: 5 as Address, Action: 0x80010001 });
      yield* wdk.IoWMIRegistrationControl({ DeviceObject: 5 as Address, Action: 2 });
    });
    expect(ledger()).toEqual(['+etw', 'undone etw', '+wmi', 'undone wmi']);
  });
});

describe('written forms', () => {
  it('of GUIDs and addresses', () => {
    const { kernel, wdk, run } = setUp();
    const { memory, heap } = kernel;
    const bytes = heap.allocate(16, 'bytes', { fill: 0 });
    const text = heap.allocate(64, 'text', { fill: 0 });
    const show = (data: number[]) => {
      memory.write(
        bytes,
        Uint8Array.from({ length: 16 }, (_, i) => data[i] ?? 0),
      );
      const end = run(() => wdk.RtlIpv6AddressToStringA({ Addr: bytes, S: text }));
      return new TextDecoder().decode(memory.read(text, end - text));
    };
    expect(show([])).toBe('::');
    expect(show([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])).toBe('2001:db8::1');
    expect(show([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1])).toBe('::ffff:10.0.0.1');
    memory.write(
      bytes,
      Uint8Array.of(0x72, 0xe9, 0x36, 0x4d, 0x25, 0xe3, 0xce, 0x11, 0xbf, 0xc1, 8, 0, 0x2b, 0xe1, 3, 0x18),
    );
    expect(guidText(memory, bytes)).toBe('{4D36E972-E325-11CE-BFC1-08002BE10318}');
    const GuidString = heap.allocate(16, 'UNICODE_STRING', { fill: 0 });
    run(() => wdk.RtlStringFromGUID({ Guid: bytes, GuidString }));
    expect(unicodeText(memory, UNICODE_STRING.at(memory, GuidString))).toBe(guidText(memory, bytes));
    const back = heap.allocate(16, 'GUID', { fill: 0 });
    expect(run(() => wdk.RtlGUIDFromString({ GuidString, Guid: back }))).toBe(0);
    expect(memory.read(back, 16)).toEqual(memory.read(bytes, 16));
  });
});
