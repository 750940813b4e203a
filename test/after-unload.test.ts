/** Routines of a miniport in TypeScript are gone with the driver, as an image's code is. */
import { expect, it } from 'vitest';
import { miniport } from '../samples/typescript/rules/miniport.ts';
import { judge } from '../src/contract/judge.ts';
import { type Coroutine, type Handle, NULL, type Wdk } from '../src/index.ts';
import { run } from '../src/machine/machine.ts';
import { plainScenario } from '../src/machine/scenario.ts';

/** The rules broken by a driver whose MiniportDriverUnload starts a thread. */
function rulesOf(thread: (wdk: Wdk) => Coroutine<void>): string[] {
  const driver = miniport((wdk) => ({
    *unload() {
      const { ThreadHandle } = (yield* wdk.PsCreateSystemThread({
        DesiredAccess: 0x1f_ffff,
        ObjectAttributes: NULL,
        ProcessHandle: NULL,
        StartRoutine: () => thread(wdk),
        StartContext: NULL,
      } as never)) as { ThreadHandle: Handle };
      yield* wdk.ZwClose({ Handle: ThreadHandle });
      // The thread gets its turn.
      yield* wdk.NdisMSleep({ MicrosecondsToSleep: 100 });
    },
  }));
  const { events } = run({ driver: { kind: 'typescript', name: 'test.ts', miniport: driver } }, plainScenario);
  return judge(events).map(({ rule }) => rule);
}

it('a thread that ends in time is no matter', () => {
  expect(rulesOf(function* () {})).toEqual([]);
});

it('a thread that goes on after MiniportDriverUnload is told', () => {
  const rules = rulesOf(function* (wdk) {
    yield* wdk.NdisMSleep({ MicrosecondsToSleep: 1000 });
  });
  expect(rules).toContain('unload-with-live-code');
});
