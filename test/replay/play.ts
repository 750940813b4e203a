/** Plays a token again and again and gives a digest of each trace, here or in another process. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeToken } from '../../src/explore/token.ts';
import { type MachineConfig, run } from '../../src/machine/machine.ts';
import { Workbench } from '../../src/machine/workbench.ts';
import { configOf, type ReplayCase, replayCases } from './cases.ts';

/** Every so often on a machine that has played nothing yet. */
const FRESH = 50;

export function* digests(config: MachineConfig, token: string, times: number): Generator<string> {
  const scenario = decodeToken(config.driver, token);
  let workbench = new Workbench();
  for (let i = 0; i < times; i++) {
    if (i % FRESH === 0) workbench = new Workbench();
    const { events } = run(config, scenario, workbench);
    yield createHash('sha256').update(JSON.stringify(events)).digest('hex');
  }
}

/** The same in a process of its own. */
export async function digestsElsewhere(one: ReplayCase, token: string, times: number): Promise<string[]> {
  const index = String(replayCases.indexOf(one));
  const script = fileURLToPath(import.meta.url);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'jiti/register', script, index, token, String(times)],
    { maxBuffer: 2 ** 26 },
  );
  return stdout.trim().split('\n');
}

const [, script, index, token, times] = process.argv;
if (script === fileURLToPath(import.meta.url)) {
  const one = replayCases[Number(index)] as ReplayCase;
  for (const digest of digests(configOf(one), token as string, Number(times))) console.log(digest);
}
