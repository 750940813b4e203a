/** A system thread beside halt. */
import { type Coroutine, type Handle, NULL, type Wdk } from '../../src/index.ts';
import { type Adapter, adapterAt, raceMiniport, setDone, waitDone } from './adapter.ts';
import type { RaceCase } from './case.ts';

const THREAD_ALL_ACCESS = 0x1f_ffff;

const begin = (last: (wdk: Wdk, adapter: Adapter) => Coroutine<void>) =>
  function* (wdk: Wdk, adapter: Adapter): Coroutine<void> {
    const { ThreadHandle } = (yield* wdk.PsCreateSystemThread({
      DesiredAccess: THREAD_ALL_ACCESS,
      ObjectAttributes: NULL,
      ProcessHandle: NULL as never,
      StartRoutine: function* Worker({ StartContext }: { StartContext: number }): Coroutine<void> {
        const mine = adapterAt(wdk, StartContext);
        while (!(yield* wdk.NdisWaitEvent({ Event: mine.Stop.address, MsToWait: 1000 }))) mine.Count++;
        yield* last(wdk, mine);
        yield* wdk.PsTerminateSystemThread({ ExitStatus: 0 });
      } as never,
      StartContext: adapter.address,
    })) as { ThreadHandle: Handle };
    const referenced = (yield* wdk.ObReferenceObjectByHandle({
      Handle: ThreadHandle,
      DesiredAccess: THREAD_ALL_ACCESS,
      ObjectType: NULL,
      AccessMode: 0,
      HandleInformation: NULL,
    })) as { Object: number };
    adapter.Thread = referenced.Object as never;
    yield* wdk.ZwClose({ Handle: ThreadHandle });
  };

function* stop(wdk: Wdk, adapter: Adapter): Coroutine<void> {
  yield* wdk.NdisSetEvent({ Event: adapter.Stop.address });
}

/** Halt waits for an event, after which the thread touches the adapter once more. */
const waitsForEvent: RaceCase = {
  name: 'thread: halt waits for its event, not for its end',
  beside: 'system thread',
  rules: ['memory-use-after-free', 'halt-leaves-system-thread'],
  race: raceMiniport({
    begin: begin(function* (wdk, adapter) {
      yield* setDone(wdk, adapter);
      adapter.Count++;
    }),
    *end(wdk, adapter) {
      yield* stop(wdk, adapter);
      yield* waitDone(wdk, adapter);
      yield* wdk.ObDereferenceObject({ Object: adapter.Thread });
    },
  }),
  clean: raceMiniport({
    begin: begin(function* (wdk, adapter) {
      yield* setDone(wdk, adapter);
      adapter.Count++;
    }),
    *end(wdk, adapter) {
      yield* stop(wdk, adapter);
      yield* wdk.KeWaitForSingleObject({ Object: adapter.Thread, WaitReason: 0, WaitMode: 0, Alertable: false });
      yield* wdk.ObDereferenceObject({ Object: adapter.Thread });
    },
  }),
};

export const threadRaces: readonly RaceCase[] = [waitsForEvent];
