/** Where reports go: checked before anything runs, written whole or not at all. */
import { accessSync, constants, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { CheckResult } from '../explore/result.ts';
import type { ReportContext, Viewer } from '../report/reporter.ts';
import { reporters } from '../report/reporters.ts';
import { InputError } from './errors.ts';
import { sourceFinder } from './sources.ts';
import { suggestion } from './suggest.ts';
import { version } from './version.ts';

export interface Output {
  readonly reporter: string;
  /** Undefined: standard output. */
  readonly file: string | undefined;
}

/**
 * What `--reporter` was given, each time it was: `name` or `name=path`, checked before anything runs. Standard output carries
 * the pretty report unless another was asked for there.
 */
export function parseReporters(given: readonly string[]): Output[] {
  const outputs = given.map(parseReporter);
  const printed = outputs.filter(({ file, reporter }) => file === undefined && reporter !== 'github');
  if (printed.length > 1) {
    const [first, second] = printed.map(({ reporter }) => reporter);
    throw new InputError(
      `--reporter ${first} and --reporter ${second} both go to standard output; give one a file, as in ${second}=result.txt.`,
    );
  }
  const files = outputs.flatMap(({ file }) => (file === undefined ? [] : [resolve(file)]));
  const twice = files.find((file, index) => files.indexOf(file) !== index);
  if (twice !== undefined) throw new InputError(`${twice}: two reporters would write this file.`);
  return printed.length === 0 ? [{ reporter: 'pretty', file: undefined }, ...outputs] : outputs;
}

function parseReporter(text: string): Output {
  const at = text.indexOf('=');
  const reporter = at < 0 ? text : text.slice(0, at);
  const file = at < 0 ? undefined : text.slice(at + 1);
  if (!Object.hasOwn(reporters, reporter)) {
    throw new InputError(`there is no reporter «${reporter}»${suggestion(reporter, Object.keys(reporters))}`);
  }
  if (file === '') throw new InputError(`--reporter ${reporter}= needs a file name behind the equals sign.`);
  if (file !== undefined) checkWritable(file);
  if (reporter === 'html') viewer();
  return { reporter, file };
}

function checkWritable(file: string): void {
  const folder = dirname(file);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new InputError(`${file}: the folder ${folder} does not exist or cannot be written.`);
  }
  const there = statSync(file, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw new InputError(`${file}: it is a folder, not a file.`);
  if (there === undefined) return;
  try {
    accessSync(file, constants.W_OK);
  } catch {
    throw new InputError(`${file}: it is there and cannot be written.`);
  }
}

/** Writes every report, or, when one of the files cannot be written, none. */
export function writeReports(result: CheckResult, driverPath: string, outputs: readonly Output[]): void {
  const source = sourceFinder(driverPath);
  const textOf = (reporter: string, colour: boolean) => {
    const context: ReportContext = { version, driverPath, colour, source, viewer };
    return (reporters[reporter] as NonNullable<(typeof reporters)[string]>)(result, context);
  };
  const files = outputs.flatMap(({ reporter, file }) =>
    file === undefined ? [] : [{ file, text: textOf(reporter, false) }],
  );
  writeWhole(files);
  for (const { reporter, file } of outputs) {
    if (file === undefined) process.stdout.write(textOf(reporter, colourWanted(process.stdout)));
  }
  // Annotations are read from either stream, so they never stand between the lines of another report.
  const asked = outputs.some(({ reporter }) => reporter === 'github');
  if (process.env.GITHUB_ACTIONS === 'true' && !asked) process.stderr.write(textOf('github', false));
}

/** Beside each file first, then all put in place. */
function writeWhole(files: readonly { readonly file: string; readonly text: string }[]): void {
  const partial = (file: string) => `${file}.${process.pid}.partial`;
  for (const { file, text } of files) {
    try {
      writeFileSync(partial(file), text);
    } catch (error) {
      for (const one of files) rmSync(partial(one.file), { force: true });
      throw new InputError(`${file}: it cannot be written (${(error as NodeJS.ErrnoException).code}).`);
    }
  }
  for (const { file } of files) {
    try {
      renameSync(partial(file), file);
    } catch (error) {
      for (const one of files) rmSync(partial(one.file), { force: true });
      throw new InputError(`${file}: it cannot be written (${(error as NodeJS.ErrnoException).code}).`);
    }
  }
}

/** The viewer of the HTML report, as `npm run build` leaves it in `dist/report/`. */
function viewer(): Viewer {
  const folder = import.meta.url.endsWith('.ts') ? '../../dist/report/' : '../report/';
  const read = (name: string) => readFileSync(new URL(`${folder}${name}`, import.meta.url), 'utf8');
  try {
    return { script: read('viewer.js'), style: read('viewer.css') };
  } catch {
    throw new InputError('the viewer of the HTML report is not built here; «npm run build» builds it.');
  }
}

/** Whether a stream is a terminal that shows more than text. */
export function colourWanted(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb';
}
