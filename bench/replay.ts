/**
 * Plays tokens again and again, in this process and in another, and counts how often the trace is the same, byte for byte.
 *
 *   npm run bench:replay [-- --times N]
 */
import { parseArgs } from 'node:util';
import { configOf, replayCases, tokenOf } from '../test/replay/cases.ts';
import { digests, digestsElsewhere } from '../test/replay/play.ts';

const { values } = parseArgs({
  // npm passes what follows its own `--`; a second one is the user's habit
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: { times: { type: 'string', default: '1000' } },
});
const times = Number(values.times);
if (!Number.isSafeInteger(times) || times < 1) throw new Error(`--times ${values.times}: give a number from 1 on.`);

let differ = false;
for (const one of replayCases) {
  const config = configOf(one);
  const token = tokenOf(config, one);
  const started = performance.now();
  const elsewhere = digestsElsewhere(one, token, times);
  const here = [...digests(config, token, times)];
  const there = await elsewhere;
  const same = (list: readonly string[]) => list.filter((digest) => digest === here[0]).length;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${one.name}: ${one.driver} ${token}`);
  console.log(
    `  identical: ${same(here)} of ${times} here, ${same(there)} of ${times} in another process (${seconds} s)`,
  );
  if (same(here) + same(there) !== 2 * times) differ = true;
}
process.exitCode = differ ? 1 : 0;
