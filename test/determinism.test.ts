/**
 * Every sample's plain run gives the same bytes on a new workbench and on one that other drivers have used before. A driver
 * leaves nothing behind that the next could notice.
 */
import { expect, it } from 'vitest';
import { plainScenario } from '../src/machine/scenario.ts';
import { Workbench } from '../src/machine/workbench.ts';
import { cSamples, nameOf, traceOf, typescriptSamples } from './sample-checks.ts';

const used = new Workbench();

it.each([...cSamples(), ...typescriptSamples()].map((sample) => [nameOf(sample), sample] as const))(
  '%s',
  async (_, sample) => {
    const fresh = await traceOf(sample);
    expect((await traceOf(sample, plainScenario, used)) === fresh).toBe(true);
    expect((await traceOf(sample, plainScenario, used)) === fresh).toBe(true);
  },
  120_000,
);
