/**
 * Debug information joins a result here, when it is reported: frames get the function, file and line that a PDB knows.
 * Runs and their traces never see it, so they are the same bytes with and without.
 */
import type { CheckResult } from '../explore/result.ts';
import type { CodeView } from '../image/image.ts';
import { type CodePlace, readPdb, requireMatch } from '../image/pdb/pdb.ts';
import type { BlockInfo, Frame, Stack, TraceEvent } from '../trace/events.ts';

/** Names the code of one module. */
export interface Symbols {
  /** As frames name it: `nic.sys`. */
  readonly module: string;
  /** What stands at an address relative to the image; `Pdb.locate`. */
  locate(rva: number): CodePlace | undefined;
}

/** A module's symbols from its PDB. @throws PdbError when the file is damaged, or another build's: one sentence. */
export function symbolsFrom(module: string, bytes: Uint8Array, codeView: CodeView): Symbols {
  const pdb = readPdb(bytes);
  requireMatch(pdb, codeView);
  return { module, locate: (rva) => pdb.locate(rva) };
}

/** The result with every frame of the module named, and frames added for inlined functions. */
export function symbolizeResult(result: CheckResult, symbols: Symbols): CheckResult {
  const fill = stackFiller(symbols);
  return {
    ...result,
    findings: result.findings.map((finding) => ({
      ...finding,
      stack: fill(finding.stack),
      ...(finding.resource === undefined
        ? {}
        : { resource: { ...finding.resource, acquired: fill(finding.resource.acquired) } }),
    })),
    traces: result.traces.map((trace) => ({ ...trace, events: trace.events.map((event) => symbolized(event, fill)) })),
  };
}

/** The events with every frame of the module named. */
export function symbolizeEvents(events: readonly TraceEvent[], symbols: Symbols): TraceEvent[] {
  const fill = stackFiller(symbols);
  return events.map((event) => symbolized(event, fill));
}

type Fill = (stack: Stack) => Stack;

/** Names one stack after another; what is at an address is looked up once. */
export function stackFiller(symbols: Symbols): Fill {
  const { module } = symbols;
  const known = new Map<number, CodePlace | undefined>();
  const at = (rva: number) => {
    if (!known.has(rva)) known.set(rva, symbols.locate(rva));
    return known.get(rva);
  };
  return (stack) =>
    stack.flatMap((frame, index): Frame[] => {
      if (frame.module !== module) return [frame];
      // A return address may already belong to the next line, or function; the call ends just before it.
      const returned = index === 0 ? 0 : 1;
      const place = at(frame.offset - returned);
      if (place === undefined) return [frame];
      const { address, offset } = frame;
      return [
        ...place.inlined.map((each): Frame => ({ address, module, offset, ...named(each), inlined: true })),
        { address, module, offset, ...named(place), displacement: place.offset + returned },
      ];
    });
}

const named = ({ function: name, file, line }: CodePlace['inlined'][number]) => ({
  name,
  ...(file === undefined ? {} : { file }),
  ...(line === undefined ? {} : { line }),
});

function symbolized(event: TraceEvent, fill: Fill): TraceEvent {
  if (event.kind === 'fault' && event.block !== undefined) {
    return { ...event, stack: fill(event.stack), block: filledBlock(event.block, fill) };
  }
  return 'stack' in event && event.stack !== undefined ? { ...event, stack: fill(event.stack) } : event;
}

function filledBlock(block: BlockInfo, fill: Fill): BlockInfo {
  const { allocated, freed } = block;
  return { ...block, allocated: fill(allocated), ...(freed === undefined ? {} : { freed: fill(freed) }) };
}
