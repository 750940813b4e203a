/** Simpler scenarios: what a finding's witness is reduced to. */
import { plainScenario, type Scenario } from '../machine/scenario.ts';

const different = (scenario: Scenario, key: keyof Scenario) =>
  JSON.stringify(scenario[key]) !== JSON.stringify(plainScenario[key]);

/** Parts a part consists of: a list's elements, an object's fields; a plain value is one. */
function parts(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 1;
}

/** In how many things a scenario differs from the plain one. */
export function deviations(scenario: Scenario): number {
  return (Object.keys(scenario) as (keyof Scenario)[])
    .filter((key) => different(scenario, key))
    .reduce((sum, key) => sum + Math.max(1, parts(scenario[key])), 0);
}

/** The scenarios with one deviation less. */
export function simpler(scenario: Scenario): Scenario[] {
  return (Object.keys(scenario) as (keyof Scenario)[])
    .filter((key) => different(scenario, key))
    .flatMap((key) => without(scenario[key]).map((value) => ({ ...scenario, [key]: value ?? plainScenario[key] })));
}

/** The value with one part less; undefined stands for the plain value. */
function without(value: unknown): unknown[] {
  if (Array.isArray(value) && value.length > 1) return value.map((_, i) => value.toSpliced(i, 1));
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const entries = Object.entries(value);
    if (entries.length > 1) return entries.map((_, i) => Object.fromEntries(entries.toSpliced(i, 1)));
  }
  return [undefined];
}
