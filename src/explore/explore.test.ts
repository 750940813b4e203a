import { expect, it } from 'vitest';
import type { Finding } from '../contract/rule.ts';
import type { DriverFile } from '../machine/driver-file.ts';
import type { FaultPoint } from '../machine/machine.ts';
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import type { Address } from '../trace/units.ts';
import { type ExploreOptions, explore } from './explore.ts';
import { pairsOfFaults, singleFaults } from './faults.ts';
import type { Outcome } from './outcome.ts';
import type { CheckResult } from './result.ts';

const driver: DriverFile = {
  kind: 'typescript',
  name: 'made-up.ts',
  miniport: { kind: 'haltex-miniport', load: () => ({ DriverEntry: () => 0 }) },
};

const point = (fn: string, nth: number, caller: number): FaultPoint => ({
  fn,
  nth,
  failures: ['null', 'soft'],
  callback: 'MiniportInitializeEx',
  caller: caller as Address,
  call: 0,
});
/** A calls once, B in a loop of four, C once. */
const points = [point('A', 1, 0x10), ...[1, 2, 3, 4].map((nth) => point('B', nth, 0x20)), point('C', 1, 0x30)];

const finding = (rule: string): Finding => ({ rule, severity: 'error', message: `${rule}.`, seq: 0, stack: [] });

/** A driver that survives no hard failure, told by its scenario alone. */
function outcome(scenario: Scenario, findings: (scenario: Scenario) => string[]): Outcome {
  const last = scenario.faults.at(-1);
  const at = points.findIndex(({ fn, nth }) => fn === last?.fn && nth === last.nth);
  const survives = last === undefined || last.failure === 'soft';
  return {
    scenario,
    findings: findings(scenario).map(finding),
    stop: { reason: 'finished', text: '' },
    length: 10,
    initialized: true,
    entryFailed: false,
    faultPoints: survives ? points.slice(at + 1) : [],
    struck: points.filter(({ fn, nth }) => scenario.faults.some((fault) => fault.fn === fn && fault.nth === nth)),
    covered: [],
    imageBase: undefined,
    events: [],
  };
}

function play(findings: (scenario: Scenario) => string[], options: Partial<ExploreOptions> = {}) {
  const played: Scenario[] = [];
  const exploration = explore(driver, {
    budget: 1000,
    now: () => 0,
    phases: [singleFaults, pairsOfFaults],
    shares: false,
    ...options,
  });
  let step = exploration.next();
  while (step.done !== true) {
    const { phase, scenarios } = step.value;
    if (phase !== 'shrinking' && phase !== 'witnesses') played.push(...scenarios);
    step = exploration.next(scenarios.map((scenario) => outcome(scenario, findings)));
  }
  return { played, result: step.value as CheckResult };
}

const named = ({ faults }: Scenario) => faults.map(({ fn, nth, failure }) => `${fn}${nth} ${failure}`).join(' + ');

it('fails every call in every way, what is new first', () => {
  const { played, result } = play(() => []);
  const singles = played.filter(({ faults }) => faults.length === 1).map(named);
  expect(singles.toSorted()).toEqual(
    points.flatMap(({ fn, nth }) => [`${fn}${nth} null`, `${fn}${nth} soft`]).toSorted(),
  );
  expect(singles.slice(0, 3)).toEqual(['A1 null', 'B1 null', 'C1 null']);
  expect(singles.at(-1)).toBe('B3 soft');
  expect(result.coverage.faultPoints).toEqual({ reached: 3, exercised: 3, missed: [] });
  expect(result.verdict).toBe('clean');
});

it('goes on to pairs where the driver went on, each pair of places once', () => {
  const { played } = play(() => []);
  const pairs = played.filter(({ faults }) => faults.length === 2).map(named);
  expect(pairs).toContain('A1 soft + C1 null');
  expect(pairs).toContain('A1 soft + B1 null');
  expect(pairs.every((pair) => !pair.startsWith('A1 null'))).toBe(true);
  expect(new Set(pairs).size).toBe(pairs.length);
});

it('tells one cause once, with the simplest witness and the calls that reach it', () => {
  const { result } = play(({ faults }) => (faults.some(({ fn }) => fn === 'B') ? ['halt-leaks-memory'] : []));
  expect(result.findings).toHaveLength(1);
  const [found] = result.findings;
  expect(found?.scenario.description).toContain('1st B fails (null)');
  expect(found?.faultPoints).toHaveLength(8);
  expect(found?.count).toBeGreaterThan(8);
  expect(result.traces.map(({ findings }) => findings)).toEqual([[], [0]]);
});

it('shrinks a witness to the differences it needs', () => {
  // Only a pair reaches B's failure after A's, but B alone shows the same.
  const pairsFirst = {
    name: 'pairs first',
    *play() {
      const faults = ['A', 'C'].map((fn) => ({ fn, nth: 1, failure: 'soft' }));
      yield [{ ...plainScenario, workers: 'late' as const, faults }];
    },
  };
  const { result } = play(({ faults }) => (faults.some(({ fn }) => fn === 'C') ? ['halt-leaks-port'] : []), {
    phases: [pairsFirst],
  });
  expect(result.findings[0]?.scenario.description).toBe('initialize, run, pause, halt, unload; 1st C fails (soft)');
});

it('ends with the budget, and says so', () => {
  const { played, result } = play(() => [], { budget: 5 });
  expect(played).toHaveLength(5);
  expect(result.ended).toBe('budget');
  expect(result.phases.map(({ name, cut }) => [name, cut])).toEqual([
    ['plain run', false],
    ['single faults', true],
  ]);
  expect(result.coverage.faultPoints.missed.length).toBe(0);
});

it('stops when it is told that there is enough', () => {
  const { result } = play(() => ['halt-leaks-port'], { enough: (findings) => (findings > 0 ? 'bail' : undefined) });
  expect(result.ended).toBe('bail');
  expect(result.scenarios.run).toBe(1);
  expect(result.verdict).toBe('findings');
});
