/** A little of the differential test, where a C compiler is. `npm run test:differential` runs more. */
import { expect, test } from 'vitest';
import { lacking } from './native.ts';
import { describe as text } from './report.ts';
import { Differential } from './run.ts';

const reason = lacking();

test.skipIf(reason !== undefined)(
  `the guest CPU agrees with this one${reason ? ` (not run: ${reason})` : ''}`,
  async () => {
    const report = await new Differential({ cases: 3000, seed: 20 }).run();
    expect(report.mismatches.map(text)).toEqual([]);
    expect([...report.unsupported]).toEqual([]);
    expect(report.endless).toBeLessThan(5);
    expect(report.uses.size).toBeGreaterThan(900);
  },
);
