/** Locks that deadlock when those who take them meet, whether or not this run let them: kernel/lock-order.ts. */
import type { EventOf } from '../trace/events.ts';
import { type FoundResource, family, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

type Id = 'lock-order-inverted' | 'lock-shared-with-isr';
type Fact = EventOf<'fact'>;

const who = ({ detail }: Fact) => String(detail.callback ?? detail.context);

/** The lock, with the place where the others had it. */
const lockOf = (other: Fact, key: unknown): FoundResource => ({
  type: 'lock',
  key: String(key),
  fn: '',
  ...(typeof other.detail.callback === 'string' ? { callback: other.detail.callback } : {}),
  detail: {},
  acquired: other.stack ?? [],
});

function* inverted(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const fact of view.facts('locks-in-opposite-orders')) {
    const { first, firstIs, second, secondIs, others } = fact.detail;
    const before = view.facts('locks-in-order').filter(({ seq }) => seq < fact.seq && seq >= fact.seq - Number(others));
    const [other] = before;
    if (other === undefined) continue;
    const opposite =
      before.length === 1
        ? `${who(other)} takes them the other way round`
        : `${before.map(who).join(' and ')} take them and others in orders that close the circle`;
    yield {
      rule: 'lock-order-inverted',
      seq: fact.seq,
      message: `${who(fact)} takes the ${secondIs} at ${second} while it holds the ${firstIs} at ${first}; ${opposite}. When they meet, each waits for the other for ever.`,
      resource: lockOf(other, first),
      stack: fact.stack ?? [],
    };
  }
}

function* withIsr(view: TraceView): Iterable<Violation & { rule: Id }> {
  for (const low of view.facts('lock-held-below-isr')) {
    const isr = view.facts('lock-of-isr').findLast(({ seq }) => seq < low.seq);
    if (isr === undefined) continue;
    yield {
      rule: 'lock-shared-with-isr',
      seq: low.seq,
      message: `${who(isr)} takes the spin lock at ${low.detail.lock} at IRQL ${isr.detail.irql}, and ${who(low)} holds it at IRQL ${low.detail.irql}: an interrupt on that processor meanwhile spins for ever.`,
      resource: lockOf(low, low.detail.lock),
      stack: isr.stack ?? [],
    };
  }
}

export const lockOrder = family(
  [
    [
      'lock-order-inverted',
      'error',
      'two locks are taken in opposite orders by what may run at once',
      'N:synchronization-and-notification-in-network-drivers',
      'D:deadlock-detection',
      'K:preventing-errors-and-deadlocks-while-using-spin-locks',
    ],
    [
      'lock-shared-with-isr',
      'error',
      'a spin lock that an ISR takes is held elsewhere at a lower IRQL',
      'K:preventing-errors-and-deadlocks-while-using-spin-locks',
      'D:deadlock-detection',
    ],
  ],
  function* (view): Iterable<Violation & { rule: Id }> {
    yield* inverted(view);
    yield* withIsr(view);
  },
);
