/** A thread that judges cases of the corpus: it is sent their names, and sends back what came of each. */
import { parentPort } from 'node:worker_threads';
import { cases } from '../test/corpus/cases.ts';
import { judgeCase, type Outcome } from '../test/corpus/judge-case.ts';

/** Of a case by its name: a miniport in TypeScript cannot be sent. */
export type Answer = Omit<Outcome, 'case'> & { readonly name: string };

parentPort?.on('message', async (name: string) => {
  const one = cases.find((candidate) => candidate.name === name);
  if (one === undefined) throw new Error(`there is no case ${name}`);
  const { case: _, ...outcome } = await judgeCase(one);
  parentPort?.postMessage({ name, ...outcome } satisfies Answer);
});
