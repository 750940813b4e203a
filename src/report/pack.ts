/**
 * Traces, made small for a report that carries them: thousands of events share few shapes and few strings. Packed data is
 * plain JSON; `unpack` gives back the same events, with times rounded to a nanosecond.
 */
import type { TraceEvent } from '../trace/events.ts';

/** A string is its number in `strings` as text, an object its shape's number and its values, an array 0 and its elements. */
type Packed = number | string | boolean | null | readonly Packed[];

export interface PackedEvents {
  readonly strings: readonly string[];
  /** Field names of objects; shape n is at n - 1. */
  readonly shapes: readonly (readonly string[])[];
  readonly events: readonly Packed[];
}

const BASE = 36;

export function pack(events: readonly TraceEvent[]): PackedEvents {
  const strings = new Map<string, number>();
  const shapes = new Map<string, number>();
  const numberOf = (known: Map<string, number>, key: string): number => {
    const number = known.get(key) ?? known.size;
    known.set(key, number);
    return number;
  };
  const one = (value: unknown): Packed => {
    if (typeof value === 'string') return numberOf(strings, value).toString(BASE);
    if (Array.isArray(value)) return [0, ...value.map(one)];
    if (typeof value === 'object' && value !== null) {
      const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
      const shape = numberOf(shapes, JSON.stringify(fields.map(([name]) => name))) + 1;
      return [shape, ...fields.map(([, inner]) => one(inner))];
    }
    return value as number | boolean | null;
  };
  const packed = events.map(({ seq: _, time, ...rest }) => one({ time: Math.round(time * 100) / 100, ...rest }));
  return {
    strings: [...strings.keys()],
    shapes: [...shapes.keys()].map((names) => JSON.parse(names) as string[]),
    events: packed,
  };
}

export function unpack({ strings, shapes, events }: PackedEvents): TraceEvent[] {
  const one = (packed: Packed): unknown => {
    if (typeof packed === 'string') return strings[Number.parseInt(packed, BASE)];
    if (typeof packed !== 'object' || packed === null) return packed;
    const [shape, ...values] = packed as [number, ...Packed[]];
    if (shape === 0) return values.map(one);
    return Object.fromEntries((shapes[shape - 1] ?? []).map((name, i) => [name, one(values[i] as Packed)]));
  };
  return events.map((event, seq) => ({ seq, ...(one(event) as object) }) as TraceEvent);
}
