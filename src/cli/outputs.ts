/** Where reports go: checked before anything runs, written whole or not at all. */
import { accessSync, constants, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { CheckResult } from '../explore/result.ts';
import type { ReportContext } from '../report/reporter.ts';
import { reporters } from '../report/reporters.ts';
import { InputError } from './errors.ts';
import { suggestion } from './suggest.ts';
import { version } from './version.ts';

export interface Output {
  readonly reporter: string;
  /** Undefined: standard output. */
  readonly file: string | undefined;
}

/** `name` or `name=path`, checked before anything runs. */
export function parseReporter(text: string): Output {
  const at = text.indexOf('=');
  const reporter = at < 0 ? text : text.slice(0, at);
  const file = at < 0 ? undefined : text.slice(at + 1);
  if (!(reporter in reporters)) {
    throw new InputError(`there is no reporter «${reporter}»${suggestion(reporter, Object.keys(reporters))}`);
  }
  if (file === '') throw new InputError(`--reporter ${reporter}= needs a file name behind the equals sign.`);
  if (file !== undefined) checkWritable(file);
  return { reporter, file };
}

function checkWritable(file: string): void {
  const folder = dirname(file);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new InputError(`${file}: the folder ${folder} does not exist or cannot be written.`);
  }
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
    throw new InputError(`${file}: it is a folder, not a file.`);
}

/** Writes the file whole or not at all. */
function writeWhole(file: string, text: string): void {
  const partial = `${file}.partial`;
  try {
    writeFileSync(partial, text);
    renameSync(partial, file);
  } catch (error) {
    rmSync(partial, { force: true });
    throw new InputError(`${file}: it cannot be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}

export function writeReports(result: CheckResult, driverPath: string, outputs: readonly Output[]): void {
  for (const { reporter, file } of outputs) {
    const context: ReportContext = { version, driverPath, colour: file === undefined && colourWanted(process.stdout) };
    const text = (reporters[reporter] as NonNullable<(typeof reporters)[string]>)(result, context);
    if (file === undefined) process.stdout.write(text);
    else writeWhole(file, text);
  }
}

/** Whether a stream is a terminal that shows more than text. */
export function colourWanted(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb';
}
