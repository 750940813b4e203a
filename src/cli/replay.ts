/** `haltex replay`: one scenario again; a race as a story in two columns, anything else every event a line. */

import pc from 'picocolors';
import { judge } from '../contract/judge.ts';
import type { Finding } from '../contract/rule.ts';
import { replay } from '../explore/check.ts';
import { decodeToken, TokenError } from '../explore/token.ts';
import type { MachineConfig, Run } from '../machine/machine.ts';
import { describe } from '../machine/scenario.ts';
import { printEvent } from '../report/events.ts';
import { ownFrame, placeOf, trail } from '../report/place.ts';
import { shortened, storyOf } from '../report/story.ts';
import { storyText } from '../report/story-text.ts';
import { type Symbols, stackFiller } from '../report/symbols.ts';
import type { Stack, TraceEvent } from '../trace/events.ts';
import { ExitCode, InputError } from './errors.ts';
import { colourWanted } from './outputs.ts';

export interface ReplayFlags {
  /** Every event, also of a race. */
  readonly all?: boolean;
  /** Numbers of events, as the lines begin. */
  readonly from?: string;
  readonly until?: string;
  /** Only events whose line has this text. */
  readonly grep?: string;
}

/** Of a pipe, whose width nobody knows. */
const USUAL_WIDTH = 120;

export function runReplay(config: MachineConfig, token: string, flags: ReplayFlags = {}, symbols?: Symbols): number {
  const from = numberOf('from', flags.from) ?? 0;
  const until = numberOf('until', flags.until) ?? Number.POSITIVE_INFINITY;
  const run = replay(config, scenarioOf(config, token));
  const findings = judge(run.events);
  const named = symbols === undefined ? (stack: Stack) => stack : stackFiller(symbols);
  const line = lineOf(config, run, named);
  const chosen = flags.all === true || [flags.from, flags.until, flags.grep].some((flag) => flag !== undefined);
  const story = chosen ? undefined : raceStory(run, findings, named, line);
  if (story !== undefined) process.stdout.write(story);
  else {
    for (const event of run.events.slice(from, until + 1)) {
      const place = event.kind === 'call' ? line(event) : undefined;
      const text = `${printEvent(event)}${place === undefined ? '' : `   ${place}`}`;
      const told = findings.filter(({ seq }) => seq === event.seq).map((finding) => findingText(finding, named));
      const shown = [text, ...told.map((one) => one.replaceAll(/^/gm, '      '))].join('\n');
      if (flags.grep === undefined || shown.toLowerCase().includes(flags.grep.toLowerCase())) {
        process.stdout.write(`${shown}\n`);
      }
    }
  }
  if (findings.some(({ severity }) => severity !== 'note')) return ExitCode.findings;
  return run.stop.reason === 'unsupported' ? ExitCode.inconclusive : ExitCode.clean;
}

/** The scenario in words and the story; undefined where nothing was chosen, or nothing is found in what was. */
function raceStory(run: Run, findings: readonly Finding[], named: Named, line: Line): string | undefined {
  if (run.choices === undefined || findings.length === 0) return undefined;
  const told = findings.map((finding) => ({ seq: finding.seq, text: findingText(finding, named).slice('✗ '.length) }));
  const story = storyOf(run.events, run.choices.turns, { findings: told, placeOf: line });
  if (story === undefined) return undefined;
  const colours = pc.createColors(colourWanted(process.stdout));
  const width = process.stdout.columns ?? USUAL_WIDTH;
  const text = storyText(story, { width, bold: colours.bold, dim: colours.dim, red: colours.red });
  return `${shortened(describe(run.scenario))}\n\n${text}\n--all prints every event.\n`;
}

type Named = (stack: Stack) => Stack;
type Line = (event: TraceEvent) => string | undefined;

/** Where in the driver a call is, by the address it returns to; a miniport in TypeScript has none. */
function lineOf({ driver }: MachineConfig, { imageBase }: Run, named: Named): Line {
  return (event) => {
    if (event.kind !== 'call' || imageBase === undefined || driver.kind !== 'image') return undefined;
    const offset = event.caller - imageBase;
    // A call that is the last thing a routine does is a jump, and returns to where the routine does.
    if (offset < 0 || offset >= driver.image.sizeOfImage) return undefined;
    const frame = { address: event.caller, module: driver.name, offset };
    // The first frame of a stack is where it runs; this one is where the call returns to.
    const own = ownFrame(named([{ ...frame, module: '', offset: 0, name: event.fn }, frame]).slice(1));
    return own === undefined ? undefined : placeOf(own).text;
  };
}

/** A finding and its stacks, a line each. */
function findingText({ rule, message, resource, stack }: Finding, named: Named): string {
  const lines = [`✗ ${rule}: ${message}`];
  if (resource !== undefined && resource.acquired.length > 0) {
    lines.push(`    acquired  ${trail(named(resource.acquired))}`);
  }
  if (stack.length > 0) lines.push(`    here      ${trail(named(stack))}`);
  return lines.join('\n');
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,9}$/.test(text)) {
    throw new InputError(`--${flag} ${text}: give the number of an event, as the lines of replay begin.`);
  }
  return Number(text);
}

function scenarioOf(config: MachineConfig, token: string) {
  try {
    return decodeToken(config.driver, token);
  } catch (error) {
    if (error instanceof TokenError) throw new InputError(error.message);
    throw error;
  }
}
