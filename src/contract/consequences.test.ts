import { describe, expect, it } from 'vitest';
import { withoutConsequences } from './consequences.ts';
import type { Finding } from './rule.ts';

const found = (rule: string, seq: number, message = '', severity: Finding['severity'] = 'error'): Finding => ({
  rule,
  seq,
  message,
  severity,
  stack: [],
});
const left = (...findings: Finding[]) => withoutConsequences(findings).map(({ rule }) => rule);

describe('what another finding explains', () => {
  it('is what a thread that was left behind does, in the next life too', () => {
    const stale = found('halt-then-reinit-stale-state', 9);
    expect(left(found('init-fail-leaves-system-thread', 5), found('memory-use-after-free', 7), stale)).toEqual([
      'init-fail-leaves-system-thread',
    ]);
    expect(left(stale, found('memory-use-after-free', 9))).toEqual(['halt-then-reinit-stale-state']);
  });

  it('is the second free of what halt took from MiniportAddDevice, and no other', () => {
    const of = (finding: Finding, key: string): Finding => ({
      ...finding,
      resource: { type: 'memory', key, fn: 'NdisAllocateMemoryWithTagPriority', detail: {}, acquired: [] },
    });
    const taken = of(found('halt-frees-add-device-context', 3), '0x1');
    expect(left(taken, of(found('memory-double-free', 5), '0x1'), of(found('memory-double-free', 6), '0x2'))).toEqual([
      'halt-frees-add-device-context',
      'memory-double-free',
    ]);
  });

  it('is every ring freed under a NIC that nobody stops, and all but the first under one that is stopped later', () => {
    const freed = [found('halt-frees-memory-under-dma', 3), found('halt-frees-memory-under-dma', 4)];
    const running = found(
      'halt-leaves-nic-running',
      8,
      'When MiniportHaltEx returns the NIC is not stopped: receive DMA.',
    );
    expect(left(...freed, running)).toEqual(['halt-leaves-nic-running']);
    const ticking = found('halt-leaves-nic-running', 8, 'When MiniportHaltEx returns the NIC is not stopped: tick.');
    expect(left(...freed, ticking)).toEqual(['halt-frees-memory-under-dma', 'halt-leaves-nic-running']);
  });

  it('is what a lock that stays held does', () => {
    expect(
      left(
        found('irql-changed-by-callback', 5),
        found('lock-held-at-return', 5),
        found('spin-lock-misuse', 8),
        found('halt-hang', 9),
      ),
    ).toEqual(['lock-held-at-return']);
    expect(left(found('spin-lock-misuse', 8), found('pause-hang', 9))).toEqual(['spin-lock-misuse']);
    expect(left(found('spin-lock-misuse', 8), found('irql-changed-by-callback', 9))).toHaveLength(2);
  });

  it('is what is called at an IRQL that a wrong order of locks brought back', () => {
    const order = found('irql-lock-order', 4, '', 'warning');
    expect(left(found('irql-violation', 2), order, found('irql-violation', 5))).toEqual([
      'irql-violation',
      'irql-lock-order',
    ]);
  });

  it('is a pool that goes while a leaked member is out, and a member that is freed to a pool that is gone', () => {
    expect(left(found('pool-freed-before-members', 4), found('halt-leaks-nbl', 6))).toEqual(['halt-leaks-nbl']);
    const late = found('memory-use-after-free', 5, 'MiniportHaltEx reads offset 0 of NET_BUFFER_LIST pool, freed.');
    expect(left(found('pool-freed-before-members', 4), late)).toEqual(['pool-freed-before-members']);
    expect(left(found('pool-freed-before-members', 4), found('memory-use-after-free', 5))).toHaveLength(2);
  });

  it('is freeing the frames that a pause did not wait for', () => {
    const early = found('pause-completes-before-nbls-returned', 4);
    expect(left(early, found('nbl-freed-while-indicated', 6))).toEqual(['pause-completes-before-nbls-returned']);
  });

  it('is a bug check right behind an error', () => {
    expect(left(found('memory-overrun', 4), found('driver-bugcheck', 6))).toEqual(['memory-overrun']);
    expect(left(found('halt-order-not-reverse', 4, '', 'note'), found('driver-bugcheck', 6))).toHaveLength(2);
  });
});
