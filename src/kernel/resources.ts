/**
 * The inventory of what the driver holds. `calls.ts` enters what a record acquires and looks up what it undoes; families enter
 * by hand what comes to the driver outside a call's return (an asynchronous block, a scatter/gather list). Everything is also
 * an event: contract/ derives what is owed from the trace alone.
 */
import type { ResourceKind, Stack, UndoOutcome } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Handle, hex } from '../trace/units.ts';
import type { Detail } from './record.ts';

export interface Resource {
  readonly id: number;
  readonly type: ResourceKind;
  readonly key: string;
  readonly owner: Handle | undefined;
  readonly detail: Detail;
  live: boolean;
}

export interface Found {
  readonly outcome: Extract<UndoOutcome, 'undone' | 'mismatch' | 'again' | 'never'>;
  readonly resource?: Resource;
  readonly differs?: readonly string[];
}

export class Resources {
  private readonly trace: Recorder;
  private count = 0;
  /** Live resources under each type and key, oldest first: several references to one object have the same. */
  private readonly lives = new Map<string, Resource[]>();
  /** The last that ended under each type and key. */
  private readonly gone = new Map<string, Resource>();

  constructor(trace: Recorder) {
    this.trace = trace;
  }

  acquire(
    type: ResourceKind,
    key: number | string,
    by: { fn: string; owner?: Handle; detail?: Detail; stack: Stack },
  ): Resource {
    const resource: Resource = {
      id: ++this.count,
      type,
      key: named(key),
      owner: by.owner,
      detail: by.detail ?? {},
      live: true,
    };
    const name = `${type} ${named(key)}`;
    const lives = this.lives.get(name);
    if (lives === undefined) this.lives.set(name, [resource]);
    else lives.push(resource);
    const { id, detail } = resource;
    const owner = by.owner === undefined ? {} : { owner: by.owner };
    this.trace.emit({
      kind: 'acquire',
      resource: id,
      type,
      key: resource.key,
      fn: by.fn,
      ...owner,
      detail,
      stack: by.stack,
    });
    return resource;
  }

  /** The live resource of one of the types under that key, if any; the newest of several. */
  live(types: readonly ResourceKind[], key: number | string): Resource | undefined {
    return first(types, named(key), (name) => this.lives.get(name)?.at(-1));
  }

  /** What an undo of that key with these arguments would meet. Changes nothing. */
  find(types: readonly ResourceKind[], key: number | string, match: Detail = {}): Found {
    const resource = this.live(types, key);
    if (resource !== undefined) {
      const differs = Object.keys(match).filter(
        (name) => name in resource.detail && resource.detail[name] !== match[name],
      );
      return differs.length > 0 ? { outcome: 'mismatch', resource, differs } : { outcome: 'undone', resource };
    }
    const gone = first(types, named(key), (name) => this.gone.get(name));
    return gone === undefined ? { outcome: 'never' } : { outcome: 'again', resource: gone };
  }

  /** Writes the undo into the trace; `undone` and `mismatch` end the resource's life. */
  undo(
    types: readonly ResourceKind[],
    key: number | string,
    by: { fn: string; outcome: UndoOutcome; found: Found; detail?: Detail; stack: Stack },
  ): void {
    const { resource, differs } = by.found;
    if (resource !== undefined && (by.outcome === 'undone' || by.outcome === 'mismatch')) this.retire(resource);
    this.trace.emit({
      kind: 'undo',
      outcome: by.outcome,
      type: resource?.type ?? (types[0] as ResourceKind),
      key: named(key),
      fn: by.fn,
      ...(resource === undefined ? {} : { resource: resource.id }),
      ...(differs === undefined ? {} : { differs }),
      detail: by.detail ?? {},
      stack: by.stack,
    });
  }

  private retire(resource: Resource): void {
    const name = `${resource.type} ${resource.key}`;
    resource.live = false;
    const lives = this.lives.get(name) ?? [];
    lives.splice(lives.indexOf(resource), 1);
    this.gone.set(name, resource);
  }

  /** A resource ended without a call of the driver that undoes it (a timer fired, NDIS freed it). */
  end(types: readonly ResourceKind[], key: number | string, fn: string): void {
    const found = this.find(types, key);
    if (found.outcome === 'undone') this.undo(types, key, { fn, outcome: 'undone', found, stack: [] });
  }
}

function first(
  types: readonly ResourceKind[],
  key: string,
  under: (name: string) => Resource | undefined,
): Resource | undefined {
  for (const type of types) {
    const found = under(`${type} ${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Numbers in keys are addresses and handles: shown as Windows shows them. Small numbers (ports) stay as they are. */
function named(key: number | string): string {
  return typeof key === 'string' ? key : key >= 0 && key < 0x1000000 ? String(key) : hex(key);
}
