/** Exception handling in drivers compiled for real: filters, termination handlers, unwinds through the kernel and back. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingTools } from '../image/testing/toolchain.ts';
import { hex } from '../trace/units.ts';
import { BugCheck } from './stops.ts';
import { type GuestDriver, guestDriver } from './testing/guest-driver.ts';

const source = readFileSync(new URL('./testing/exceptions.c', import.meta.url), 'utf8');
const imports = [
  'ExRaiseStatus',
  'RtlRaiseException',
  'memcpy',
  'ProbeForRead',
  'ProbeForWrite',
  'TestCall',
  'TestStack',
  'RtlCaptureContext',
  '__C_specific_handler',
];
const missing = missingTools.length > 0;

describe.skipIf(missing)('exceptions in a compiled driver', () => {
  let compiled: ReturnType<typeof guestDriver>;
  let guest: GuestDriver;
  beforeAll(() => {
    compiled = guestDriver(source, imports);
  });
  afterAll(() => compiled?.driver.dispose());
  const start = () => {
    guest = compiled.start();
    return guest;
  };
  const variable = (name: string) => guest.kernel.memory.readU32(guest.export(name)) >>> 0;
  const bugCheck = (name: string, argument: number | bigint = 0): BugCheck => {
    try {
      guest.call(name, argument);
    } catch (error) {
      if (error instanceof BugCheck) return error;
      throw error;
    }
    throw new Error('no bug check');
  };

  it.each([
    ['null_read', 16, -1, 0xc0000005],
    ['null_write', 0x7000_0000, -1, 0xc0000005],
    ['division', 5, -2, 0xc0000094],
    ['breakpoint', 0, -3, 0x80000003],
    ['undefined', 0, -4, 0xc000001d],
    ['call_null', 0, -5, 0xc0000005],
  ])('%s is handled around the callee', (name, argument, result, code) => {
    start();
    expect(guest.call(name, argument)).toBe(result);
    expect(hex(variable('code'))).toBe(hex(code));
    expect(guest.facts('exception-handled')).toHaveLength(1);
    expect(guest.kernel.trace.events.filter((event) => event.kind === 'fault')).toEqual([]);
  });

  it('tells the filter the address', () => {
    start();
    guest.call('null_read', 0x1238);
    expect(variable('seen')).toBe(0x1238);
  });

  it('runs filters before termination handlers, innermost first', () => {
    start();
    // inner filter declines (2), outer takes it (4), then the finally (3), then the outer block (5)
    expect(guest.call('nested')).toBe(12435);
    expect(variable('aborted')).toBe(1);
  });

  it('runs a termination handler once when nothing happens, and on a jump out of the block', () => {
    start();
    expect(guest.call('finally_normal')).toBe(12);
    expect(variable('aborted')).toBe(0);
    expect(guest.call('leave_try', 1)).toBe(1212);
  });

  it('unwinds callees', () => {
    start();
    expect(guest.call('in_callee')).toBe(123);
  });

  it('handles what kernel functions raise', () => {
    start();
    expect(guest.call('raise', 0xc00000bb)).toBe(12);
    expect(hex(variable('code'))).toBe('0xC00000BB');
    expect(guest.call('not_continuable')).toBe(-1);
    expect(hex(variable('code'))).toBe('0xC0000025');
  });

  it('handles faults of kernel functions on user addresses', () => {
    start();
    expect(guest.call('copy', 0x5000_0000)).toBe(-1);
    expect(hex(variable('code'))).toBe('0xC0000005');
    expect(guest.call('probe', 0x5000_0001)).toBe(-1);
    expect(hex(variable('code'))).toBe('0x80000002');
    expect(guest.call('probe', 0x5000_0000)).toBe(1);
    expect(guest.call('probe_write', 0x5000_0000)).toBe(-1);
    expect(guest.call('probe', 0xfffff80000001000n)).toBe(-1);
  });

  it('carries exceptions out of callbacks through the kernel', () => {
    start();
    // the filter (3) runs while the callback is still there, its finally (2) afterwards
    expect(guest.call('through_callback')).toBe(1324);
    expect(guest.call('two_callbacks')).toBe(14256);
    expect(guest.kernel.trace.events.filter((event) => event.kind === 'leave' && event.raised)).toHaveLength(3);
    expect(guest.kernel.trace.events.filter((event) => event.kind === 'enter')).toHaveLength(5);
  });

  it('keeps the registers of the function that handles it', () => {
    start();
    const a = 21;
    const b = a * 3 + 1;
    expect(guest.call('many_values', a)).toBe(b + (a ^ 5) + (a + 9) + (a | 64) + (a - 1) + a * a + Math.floor(a * 3.5));
  });

  it('goes on where a filter says so', () => {
    start();
    expect(guest.call('continued')).toBe(77);
    expect(variable('order')).toBe(1);
    expect(guest.call('own_continued')).toBe(5);
  });

  it('takes records the driver made', () => {
    start();
    expect(guest.call('own_record', 99)).toBe(-1);
    expect(hex(variable('code'))).toBe('0xE0001234');
    expect(variable('seen')).toBe(99);
  });

  it('handles an exception inside a filter', () => {
    start();
    expect(guest.call('exception_in_filter')).toBe(1234);
  });

  it('lets a second exception take over an unwind', () => {
    start();
    // The finally that raised does not run again; the one around it does.
    expect(guest.call('collided')).toBe(12345);
  });

  it('walks stacks through nested calls', () => {
    start();
    expect(guest.call('stack')).toBe(3);
    const [event] = guest.facts('stack');
    expect(event?.stack?.map((frame) => frame.name ?? frame.module)).toEqual([
      'TestStack',
      'test.sys',
      'TestCall',
      'test.sys',
      'stack',
    ]);
  });

  it('stops for what no handler can take', () => {
    start();
    const freed = guest.kernel.heap.allocate(64, 'a block');
    guest.kernel.heap.free(freed);
    expect(bugCheck('guarded_store', BigInt(freed))).toMatchObject({ code: 0x50 });
    expect(guest.kernel.trace.events.find((event) => event.kind === 'fault')).toMatchObject({
      by: 'driver',
      why: 'freed',
    });
    start();
    expect(bugCheck('guarded_store', BigInt(guest.module.base))).toMatchObject({ code: 0xbe });
    start();
    expect(bugCheck('wild_jump', BigInt(guest.kernel.heap.allocate(16, 'data')))).toMatchObject({ code: 0xfc });
    start();
    expect(bugCheck('fast_fail')).toMatchObject({ code: 0x139, message: expect.stringContaining('list entry') });
    start();
    expect(bugCheck('recurse')).toMatchObject({ code: 0x7f });
  });

  it('stops for exceptions nobody handles', () => {
    start();
    const stop = bugCheck('unhandled');
    expect(stop.code).toBe(0x7e);
    expect(stop.message).toBe('the driver reads 4 bytes at 0x0 (a NULL pointer), and no exception handler takes it');
    expect(stop.frames[1]?.name).toBe('unhandled');
    start();
    expect(bugCheck('unhandled_status', 0xc0000001)).toMatchObject({ code: 0x7e });
  });

  it('notices broken promises of the calling convention', () => {
    start();
    expect(guest.call('preserves')).toBe(3);
    expect(guest.facts('nonvolatile-changed')[0]?.detail.registers).toBe('RBX, XMM7');
    expect(bugCheck('smashes')).toMatchObject({ code: 0x7f, message: expect.stringContaining('stack is corrupted') });
  });

  it('calls __C_specific_handler through a handler of the driver’s own', () => {
    start();
    expect(guest.call('with_cookie', 8)).toBe(-6);
    // once while searching, once while unwinding
    expect(guest.call('checks')).toBe(2);
  });

  it('writes what a call raised into the trace', () => {
    start();
    guest.call('raise', 0xc00000bb);
    guest.call('two_callbacks');
    const raised = guest.kernel.trace.events
      .filter((event) => event.kind === 'return')
      .filter(({ result }) => typeof result === 'object' && result !== null && 'raised' in result)
      .map(({ fn, result }) => [fn, (result as { raised: string }).raised]);
    expect(raised).toContainEqual(['ExRaiseStatus', '0xC00000BB']);
    expect(raised.filter(([fn]) => fn === 'TestCall')).toEqual([
      ['TestCall', 'unwound'],
      ['TestCall', 'unwound'],
    ]);
    expect(guest.kernel.scheduler.alive()).toEqual([]);
  });

  it('captures contexts', () => {
    start();
    expect(guest.call('captured')).toBe(1);
  });

  it('names DriverEntry, frees INIT after it, and catches code that runs after the unload', () => {
    start();
    const { kernel, module } = guest;
    const entry = (module.base + module.image.entryPoint) as typeof module.base;
    expect(kernel.modules.frame(entry).name).toBe('DriverEntry');
    expect(guest.call('in_init')).toBe(4);
    kernel.modules.discard(module);
    expect(bugCheck('in_init').code).toBe(0x50);
    expect(kernel.trace.events.findLast((event) => event.kind === 'fault')?.block?.what).toContain(
      'discarded section INIT',
    );
    start();
    guest.kernel.modules.unload(guest.module);
    expect(bugCheck('unhandled').code).toBe(0xce);
    expect(guest.facts('code-after-unload')).toHaveLength(1);
  });
});
