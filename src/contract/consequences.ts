/** What another finding already explains is not told as well: one mistake, one finding. */
import type { Finding } from './rule.ts';

/** A mistake and what follows from it. A rule that is no consequence of itself may stand on both sides. */
interface Consequence {
  readonly cause: RegExp;
  /** Only causes with this in their message. */
  readonly saying?: RegExp;
  /** Only consequences with this in theirs. */
  readonly said?: RegExp;
  readonly follows: { has(rule: string): boolean };
  readonly when: (cause: Finding, finding: Finding) => boolean;
}

const later: Consequence['when'] = (cause, finding) => cause.seq < finding.seq;
const atOnceOrLater: Consequence['when'] = (cause, finding) => cause.seq <= finding.seq;
const atOnce: Consequence['when'] = (cause, finding) => cause.seq === finding.seq;
const inTheSameRun: Consequence['when'] = () => true;

const matching = (pattern: RegExp) => ({ has: (rule: string) => pattern.test(rule) });

const HANGS = ['halt-hang', 'pause-hang', 'driver-hang', 'oid-timeout', 'halt-leaves-idle-notification'];

/** Rules that say what is not waited for, or what came of it. */
export const RUNS_ON =
  /^(memory-use-after-free|timer-freed-while-active|work-item-freed-while-queued)$|^(halt|init-fail)-(returns-with-|leaves-(timer-set|system-thread)|leaks-(interrupt|wdm-interrupt|ktimer|ex-timer|dpc)$|cancels-timers-first|frees-context-early|deregisters-interrupt-late)/;

const consequences: readonly Consequence[] = [
  // What was left to run on its own: whatever it touches later follows from that, also in the adapter's next life.
  {
    cause:
      /^(halt|init-fail)-(leaks-(interrupt|wdm-interrupt|ktimer|ex-timer|dpc)|leaves-(timer-set|system-thread)|returns-with-)|^timer-freed-while-active$/,
    follows: new Set([
      'memory-use-after-free',
      'unload-with-live-code',
      'io-access-after-unmap',
      'driver-access-violation',
      'driver-bugcheck',
      'halt-frees-memory-under-dma',
      'halt-then-reinit-stale-state',
    ]),
    when: later,
  },
  // What was still under way had not come to giving things back yet.
  {
    cause: /^(halt|init-fail)-returns-with-(async-work|timer-callback)$/,
    follows: matching(/^(halt|init-fail)-leaks-/),
    when: atOnce,
  },
  // What is still held cannot be had a second time.
  {
    cause: /^(halt|init-fail)-lea(ks|ves)-/,
    follows: new Set(['halt-then-reinit-stale-state']),
    said: /though no call fails in it/,
    when: later,
  },
  {
    cause: /^unload-leaks-/,
    follows: new Set(['halt-then-reinit-stale-state']),
    said: /though no call fails in it/,
    when: inTheSameRun,
  },
  // Why memory that was given back is used, or something given back again; that it is, is said by the first name.
  {
    cause: /^(halt-frees-driver-scope|halt-then-reinit-stale-state)$/,
    follows: new Set([
      'memory-use-after-free',
      'memory-double-free',
      'undo-without-acquire',
      'shared-memory-double-free',
      'timer-set-after-free',
    ]),
    when: atOnce,
  },
  // What halt took from MiniportAddDevice is gone for the next life, and for MiniportRemoveDevice.
  {
    cause: /^halt-frees-add-device-context$/,
    follows: new Set([
      'memory-use-after-free',
      'memory-double-free',
      'undo-without-acquire',
      'halt-then-reinit-stale-state',
    ]),
    when: (cause, finding) => cause.seq < finding.seq && cause.resource?.key === finding.resource?.key,
  },
  // A NIC that is never stopped: the rings are freed under it, but stopping it is what is missing.
  {
    cause: /^(halt|init-fail)-leaves-nic-running$/,
    saying: /DMA/,
    follows: new Set(['halt-frees-memory-under-dma']),
    when: inTheSameRun,
  },
  // What was not waited for is told by what it is, or by what it did; that nothing ordered it is the reason of both.
  {
    cause: RUNS_ON,
    follows: new Set(['free-without-waiting']),
    when: inTheSameRun,
  },
  // The same for one that is stopped, but too late: every ring that is freed before shows it.
  {
    cause: /^halt-frees-memory-under-dma$/,
    follows: new Set(['halt-frees-memory-under-dma']),
    when: later,
  },
  // The registration goes before what was made with it: each block that is freed afterwards shows it.
  {
    cause: /^dma-use-after-deregister$/,
    saying: /the other way round/,
    said: /the other way round/,
    follows: new Set(['dma-use-after-deregister']),
    when: later,
  },
  // A member that nobody frees is still out when its pool goes; one that is freed after the pool is freed to nowhere.
  {
    cause: /^(halt|init-fail|unload)-leaks-(nbl|nb|clone-nbl)$/,
    follows: new Set(['pool-freed-before-members']),
    when: inTheSameRun,
  },
  {
    cause: /^pool-freed-before-members$/,
    follows: new Set(['memory-use-after-free']),
    said: /NET_BUFFER/,
    when: later,
  },
  // Frames that were still out when the pause was said to be complete are out when halt frees them.
  {
    cause: /^pause-completes-before-nbls-returned$/,
    follows: new Set(['nbl-freed-while-indicated', 'port-deactivate-with-traffic']),
    when: later,
  },
  // A request that is ended twice ends the next one of its kind with the wrong status.
  {
    cause: /^oid-double-complete$/,
    follows: new Set(['surprise-removal-requests-not-rejected']),
    when: inTheSameRun,
  },
  // A lock that stays held keeps the IRQL up, and whoever wants it next waits for ever.
  { cause: /^lock-held-at-return$/, follows: new Set(['irql-changed-by-callback']), when: atOnceOrLater },
  { cause: /^lock-held-at-return$/, follows: new Set(['spin-lock-misuse', ...HANGS]), when: later },
  { cause: /^spin-lock-misuse$/, follows: new Set(HANGS), when: later },
  // Where they did meet.
  { cause: /^lock-(order-inverted|shared-with-isr)$/, follows: new Set(HANGS), when: later },
  // An ISR calls what only belongs below it.
  { cause: /^irql-/, saying: /SpinLock/, follows: new Set(['lock-shared-with-isr']), when: inTheSameRun },
  // Locks released in the wrong order bring the wrong IRQL back; what is called at that IRQL follows.
  {
    cause: /^irql-lock-order$/,
    follows: new Set(['irql-violation', 'irql-changed-by-callback']),
    when: atOnceOrLater,
  },
];

/** How many events before a stop an error still explains it: the fault or fact, and the returns it cuts off. */
const NEAR = 3;

/** The findings of one run, in the order of its trace, without what others of them explain. A note explains nothing. */
export function withoutConsequences(findings: readonly Finding[]): Finding[] {
  const causes = findings.filter(({ severity }) => severity !== 'note');
  const explains = (other: Finding, finding: Finding) =>
    other !== finding &&
    consequences.some(
      ({ cause, saying, said, follows, when }) =>
        follows.has(finding.rule) &&
        said?.test(finding.message) !== false &&
        cause.test(other.rule) &&
        saying?.test(other.message) !== false &&
        when(other, finding),
    );
  const near = (other: Finding, { seq }: Finding) =>
    other.severity === 'error' && other.seq <= seq && seq - other.seq <= NEAR;
  return findings.filter(
    (finding) =>
      !causes.some((other) => explains(other, finding)) &&
      !(finding.rule === 'driver-bugcheck' && causes.some((other) => other !== finding && near(other, finding))),
  );
}
