/** `haltex lint`: what can be said without playing the driver. */
import { type LintResult, lint } from '../explore/lint.ts';
import type { MachineConfig } from '../machine/machine.ts';
import { ExitCode, InputError } from './errors.ts';

export function runLint(config: MachineConfig): number {
  const { driver } = config;
  if (driver.kind !== 'image') {
    throw new InputError(`${driver.name}: lint reads the imports of a .sys file; a miniport in TypeScript has none.`);
  }
  const result = lint({ ...config, driver });
  process.stdout.write(text(result));
  return result.remarks.length === 0 ? ExitCode.clean : ExitCode.findings;
}

/** How many places of a remark are listed. */
const PLACES = 5;

function text({ driver, imports, remarks }: LintResult): string {
  const lines = remarks.flatMap(({ kind, message, places }) => {
    const listed = places.slice(0, PLACES).map((offset) => `${driver}+0x${offset.toString(16)}`);
    const more = places.length > PLACES ? ` and ${places.length - PLACES} more` : '';
    return [`${kind}: ${message}`, ...(listed.length === 0 ? [] : [`    called at ${listed.join(', ')}${more}`])];
  });
  const end =
    remarks.length === 0
      ? `${driver}: nothing to remark on ${imports} imports; haltex check plays the driver.`
      : `${driver}: ${remarks.length} ${remarks.length === 1 ? 'remark' : 'remarks'} on ${imports} imports.`;
  return `${[...lines, end].join('\n')}\n`;
}
