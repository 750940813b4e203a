/** Rules of several families on small traces: what each finds, and what looks like it and is in order. */
import { describe, expect, it } from 'vitest';
import type { BlockInfo } from '../trace/events.ts';
import { type Address, DISPATCH_LEVEL, HIGH_LEVEL, hex } from '../trace/units.ts';
import { ADAPTER, TraceByHand } from './testing.ts';

const adapter = hex(ADAPTER);
const INIT = 'MiniportInitializeEx';
const HALT = 'MiniportHaltEx';

/** The rules of a trace that `build` writes. */
function rules(build: (trace: TraceByHand) => void): string[] {
  const trace = new TraceByHand();
  build(trace);
  return trace.rules();
}

const block = (address: number, state: 'live' | 'freed'): BlockInfo => ({
  what: "NDIS memory 'test'",
  address: address as Address,
  size: 64,
  offset: 0,
  state,
  allocated: [],
});

describe('locks', () => {
  const holding = (fn: string, why: string, acquired: string) =>
    rules((trace) => {
      trace.call(acquired, { SpinLock: '0x77' });
      trace.fact('waits-with-locks', { fn, why, locks: ['0x77'] });
    });

  it('are not held while others are called', () => {
    expect(holding('NdisMSendNetBufferListsComplete', 'calls back', 'NdisAcquireSpinLock')).toEqual([
      'wait-holding-lock',
    ]);
    expect(holding('NdisMSendNetBufferListsComplete', 'calls back', 'ExAcquireSpinLockShared')).toEqual([]);
    expect(holding('KeDelayExecutionThread', 'waits', 'ExAcquireSpinLockShared')).toEqual(['wait-holding-lock']);
  });

  it('are released the last first, where that sets the IRQL', () => {
    const released = (fn: string) =>
      rules((trace) => {
        trace.call(fn, { SpinLock: '0x77' }, { irql: DISPATCH_LEVEL });
        trace.fact('spin-locks-out-of-order', { lock: '0x77' });
      });
    expect(released('NdisReleaseSpinLock')).toEqual(['irql-lock-order']);
    expect(released('NdisDprReleaseSpinLock')).toEqual([]);
  });

  it('are free when they go', () => {
    expect(rules((trace) => trace.fact('spin-lock-freed-while-held', { lock: '0x77' }))).toEqual([
      'lock-freed-while-held',
    ]);
  });
});

it('a flag says DISPATCH_LEVEL only there', () => {
  const completes = (SendCompleteFlags: number, irql = DISPATCH_LEVEL) =>
    rules((trace) => trace.call('NdisMSendNetBufferListsComplete', { SendCompleteFlags }, { irql }));
  expect(completes(1)).toEqual([]);
  expect(completes(0)).toEqual([]);
  expect(completes(1, 0 as typeof DISPATCH_LEVEL)).toEqual(['irql-flag-mismatch']);
});

it('MiniportShutdownEx in a crash calls only what any IRQL allows', () => {
  const calls = (fn: string) =>
    rules((trace) => trace.call(fn, {}, { irql: HIGH_LEVEL, callback: 'MiniportShutdownEx' }));
  expect(calls('NdisStallExecution')).toEqual([]);
  expect(calls('NdisMSleep')).toEqual(['shutdown-calls-ndis']);
});

describe('pause and restart', () => {
  it('a pause has what it needs', () => {
    expect(
      rules((trace) =>
        trace.routine('MiniportPause', '0x0', (where) => {
          trace.undo(trace.acquire('work-item', 'NdisAllocateIoWorkItem', where), 'NdisFreeIoWorkItem', where);
        }),
      ),
    ).toEqual(['pause-allocates']);
    expect(
      rules((trace) =>
        trace.routine('MiniportPause', '0x0', (where) =>
          trace.undo(trace.acquire('timer-set', 'NdisSetTimerObject', where), 'NdisCancelTimerObject', where),
        ),
      ),
    ).toEqual([]);
  });

  it('a restart that fails leaves the data path closed', () => {
    const indicated = (failed: boolean) =>
      rules((trace) => {
        if (failed) trace.fact('restart-failed', { adapter, activity: [] });
        trace.fact('receive-indicated', { adapter, state: 'Paused', port: 0 });
      });
    expect(indicated(true)).toEqual(['restart-failure-leaves-datapath']);
    expect(indicated(false)).toEqual(['receive-indicated-while-paused']);
  });

  it('halt waits for what a pause should have waited for', () => {
    const halts = (receivesOut: number) =>
      rules((trace) => {
        trace.fact('pause-completed', { adapter, receivesOut: 1, sendsOut: 0 });
        trace.fact('halt-returned', { adapter, receivesOut, sendsOut: 0 });
      });
    expect(halts(0)).toEqual(['pause-completes-before-nbls-returned']);
    expect(halts(1)).toEqual(['halt-returns-before-nbls-returned', 'pause-completes-before-nbls-returned']);
  });
});

describe('what a routine of the driver made', () => {
  const left = (callback: string, type = 'memory') =>
    rules((trace) => {
      trace.routine(callback, '0x0', (where) =>
        trace.acquire(type, 'NdisAllocateMemoryWithTagPriority', { callback: where.callback as string }),
      );
      trace.fact('unloaded');
    });

  it('is owed by its counterpart', () => {
    expect(left('MiniportAddDevice')).toEqual(['remove-device-leaks-context']);
    expect(left('MiniportSetOptions')).toEqual(['unload-leaks-setoptions']);
    expect(left('MiniportDriverUnload')).toEqual(['unload-allocates']);
    expect(left('DriverEntry')).toEqual(['unload-leaks-memory']);
    expect(left('DriverEntry', 'driver-registration')).toEqual(['unload-leaks-driver-registration']);
  });

  it('is owed by DriverEntry when its registration is refused', () => {
    const entry = (result: string) =>
      rules((trace) => {
        trace.acquire('pool', 'ExAllocatePool2', { callback: 'DriverEntry' });
        trace.returned('NdisMRegisterMiniportDriver', 0, { result, NdisMiniportDriverHandle: '0x0' });
        trace.fact('driver-entry-failed', { status: 1 });
      });
    expect(entry('0xC000009A')).toContain('driverentry-register-failed-leaks');
    expect(entry('0x0')).toEqual(['unload-leaks-pool']);
  });

  it('is not halt’s to give back when MiniportAddDevice made it', () => {
    expect(
      rules((trace) => {
        const context = trace.acquire('memory', 'NdisAllocateMemoryWithTagPriority', { callback: 'MiniportAddDevice' });
        trace.routine(HALT, null, (where) => trace.undo(context, 'NdisFreeMemory', where));
      }),
    ).toEqual(['halt-frees-add-device-context']);
  });
});

describe('timers', () => {
  const halt = (again: boolean, cancelled: boolean) =>
    rules((trace) => {
      const set = trace.acquire('timer-set', 'NdisSetTimerObject', { adapter: ADAPTER }, { key: '0x9' });
      trace.routine(HALT, null, (where) => {
        trace.call('NdisCancelTimerObject', { TimerObject: '0x9' }, where);
        if (cancelled) trace.undo(set, 'NdisCancelTimerObject', where);
        if (again) trace.acquire('timer-set', 'NdisSetTimerObject', { adapter: ADAPTER }, { key: '0x9' });
      });
    });

  it('are not set again once halt has cancelled them', () => {
    expect(halt(false, true)).toEqual([]);
    expect(halt(true, true)).toEqual(['timer-rearmed-during-halt']);
    expect(halt(false, false)).toEqual(['halt-leaves-timer-set']);
  });

  it('are not in memory that is freed, unless it is told that they are never cancelled', () => {
    const freed = (cancelled: boolean) =>
      rules((trace) => {
        const set = trace.acquire('ktimer', 'KeSetTimer', { adapter: ADAPTER }, { key: '0x9' });
        trace.routine(HALT, null, (where) => {
          trace.fact('freed-with-live-object', { object: 'set KTIMER', address: '0x9' }, where);
          if (cancelled) trace.undo(set, 'KeCancelTimer', where);
        });
      });
    expect(freed(true)).toEqual(['timer-freed-while-active']);
    expect(freed(false)).toEqual(['halt-leaks-ktimer']);
  });
});

describe('memory', () => {
  it('goes back to its own allocator', () => {
    const freed = (type: string, fn: string) => rules((trace) => trace.undo(trace.acquire(type, 'an allocation'), fn));
    expect(freed('pool', 'ExFreePoolWithTag')).toEqual([]);
    expect(freed('memory', 'NdisFreeMemory')).toEqual([]);
    expect(freed('string', 'NdisFreeMemory')).toEqual([]);
    expect(freed('pool', 'NdisFreeMemory')).toEqual(['free-memory-bad-args']);
    expect(freed('memory', 'ExFreePool')).toEqual(['free-memory-bad-args']);
  });

  it('the device may touch is mapped for it', () => {
    const touched = (why: string) => rules((trace) => trace.fact('dma-outside-mapping', { why, access: 'write' }));
    expect(touched('never-mapped')).toEqual(['dma-memory-not-mapped']);
    expect(touched('direction')).toEqual([]);
  });
});

describe('an access', () => {
  /** MiniportHaltEx frees the block at 0x5001, and `callback` uses it. */
  const duringHalt = (callback: string, cancelsFirst = false, context = '0x0') =>
    rules((trace) => {
      const memory = trace.acquire('memory', 'NdisAllocateMemoryWithTagPriority', { callback: INIT, adapter: ADAPTER });
      const where = { callback: HALT, adapter: ADAPTER };
      const args = { MiniportAdapterContext: context };
      const enter = trace.add({ kind: 'enter', callback: HALT, args, address: 0 as Address }, where);
      if (cancelsFirst) trace.call('NdisCancelTimerObject', {}, where);
      trace.undo(memory, 'NdisFreeMemory', where);
      trace.add(
        {
          kind: 'fault',
          by: 'driver',
          access: 'read',
          address: 0x5001 as Address,
          size: 4,
          why: 'freed',
          block: block(0x5001, 'freed'),
          stack: [],
        },
        { callback, adapter: ADAPTER },
      );
      trace.add({ kind: 'leave', callback: HALT, enter, result: null }, where);
    });

  it('beside halt is told by who makes it', () => {
    expect(duringHalt('MiniportInterruptDPC')).toEqual(['halt-deregisters-interrupt-late']);
    expect(duringHalt('NetTimerCallback')).toEqual(['halt-cancels-timers-first']);
    expect(duringHalt('NetTimerCallback', true)).toEqual(['memory-use-after-free']);
    expect(duringHalt('NDIS_IO_WORKITEM', false, '0x5001')).toEqual(['halt-frees-context-early']);
    expect(duringHalt('NDIS_IO_WORKITEM')).toEqual(['memory-use-after-free']);
    expect(duringHalt(HALT, false, '0x5001')).toEqual(['memory-use-after-free']);
  });

  const nullRead = (trace: TraceByHand, callback: string) =>
    trace.add(
      { kind: 'fault', by: 'driver', access: 'read', address: 8 as Address, size: 8, why: 'null', stack: [] },
      { callback, adapter: ADAPTER },
    );

  it('to NULL follows from an initialize that went on, an ISR that came too early, or a result nobody tested', () => {
    expect(
      rules((trace) => {
        trace.routine(INIT, null, () => nullRead(trace, 'MiniportInterrupt'));
      }),
    ).toContain('interrupt-registered-too-early');
    const failed = (result: string) =>
      rules((trace) => {
        trace.routine(INIT, result, (where) => trace.returned('NdisAllocateTimerObject', 0, '0x0', where, 'fail-x'));
        nullRead(trace, 'MiniportSendNetBufferLists');
      });
    expect(failed('0x0')).toContain('init-fail-returns-success');
    expect(failed('0xC000009A')).toContain('init-ignores-result');
  });
});

it('halt does not wait for hardware that has gone', () => {
  const hangs = (touched: boolean) =>
    rules((trace) => {
      trace.add({ kind: 'enter', callback: HALT, args: {}, address: 0 as Address }, { callback: HALT });
      if (touched) trace.fact('device-access-after-removal', { routine: HALT });
      trace.add({ kind: 'stop', reason: 'hang', text: 'it polls' });
    });
  expect(hangs(true)).toEqual(['halt-touches-removed-hardware']);
  expect(hangs(false)).toEqual(['halt-hang']);
});

describe('ports', () => {
  it('are activated and deactivated in the right state', () => {
    const event = (result: string, NetEvent: number, injected?: string) =>
      rules((trace) => {
        const call = trace.call('NdisMNetPnPEvent', { NetPnPEventNotification: { NetEvent } });
        trace.returned('NdisMNetPnPEvent', call, result, {}, injected);
      });
    expect(event('0xC023002E', 11)).toEqual(['port-activation-misuse']);
    expect(event('0xC023002E', 10, 'fail-ndismnetpnpevent-invalid-port-state')).toEqual([]);
    expect(event('0xC000009A', 10)).toEqual([]);
  });

  it('carry no frames once they are deactivated', () => {
    const indicates = (active: boolean) =>
      rules((trace) => {
        const port = trace.acquire('active-port', 'NdisMNetPnPEvent', {}, { key: `port 1 of ${adapter}` });
        if (!active) trace.undo(port, 'NdisMNetPnPEvent');
        trace.fact('receive-indicated', { adapter, state: 'Running', port: 1 });
      });
    expect(indicates(true)).toEqual([]);
    expect(indicates(false)).toEqual(['port-deactivate-with-traffic']);
  });

  it('have all their frames back before', () => {
    const deactivated = (receivesOut: number) =>
      rules((trace) => trace.fact('port-deactivated', { adapter, port: 1, receivesOut }));
    expect(deactivated(0)).toEqual([]);
    expect(deactivated(2)).toEqual(['port-deactivate-with-traffic']);
  });
});

describe('what NDIS waits for in vain', () => {
  const hang = (fact: string) =>
    rules((trace) => {
      trace.fact(fact, { adapter, request: '0x1', oid: 'OID_GEN_STATISTICS', seconds: 60 });
      trace.add({ kind: 'stop', reason: 'hang', text: 'the driver never completes it' });
    });

  it('is told by its name, and once', () => {
    expect(hang('oid-never-completed')).toEqual(['oid-timeout']);
    expect(hang('idle-never-completed')).toEqual(['halt-leaves-idle-notification']);
    expect(hang('anything else')).toEqual(['driver-hang']);
  });
});

it('a handle is the one NDIS gave', () => {
  const handle = (kind: string) => rules((trace) => trace.fact('ndis-handle-not-valid', { fn: 'Ndis…', kind }));
  expect(handle('NULL')).toEqual(['ndis-handle-not-valid']);
  expect(handle('halted adapter')).toEqual(['adapter-handle-after-halt']);
});

describe('a pool freed with a member out', () => {
  const freed = (crash: boolean) =>
    rules((trace) => {
      trace.fact('pool-freed-with-members', { pool: '0x9000', members: 1 });
      if (crash) trace.fact('bug-check', { adapter, state: 'Halted', halting: true, called: false });
    });

  it('is told where the run goes on to say what becomes of the member', () => {
    expect(freed(false)).toEqual(['pool-freed-before-members']);
    expect(freed(true)).toEqual([]);
  });
});
