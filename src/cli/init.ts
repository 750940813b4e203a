/** `haltex init`: writes a haltex.config.ts for the driver it finds. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readImage } from '../image/read.ts';
import { ExitCode, InputError } from './errors.ts';

const FILE = 'haltex.config.ts';

/** Where builds leave drivers: this folder and a few below it. */
const DEPTH = 4;
const SKIPPED = new Set(['node_modules', '.git', '.vs']);

export function runInit(named: string | undefined): number {
  if (existsSync(FILE)) throw new InputError(`${FILE} is already here; remove it first, or edit it.`);
  if (named !== undefined && !existsSync(named)) throw new InputError(`${named}: there is no such file.`);
  const found = named === undefined ? drivers('.', DEPTH) : [named];
  const [driver] = found;
  if (driver === undefined) {
    throw new InputError(
      'no x64 .sys of an NDIS 6 miniport was found here or below; name the driver: haltex init path/to/mydriver.sys.',
    );
  }
  const inf = driver.replace(/\.\w+$/, '.inf');
  writeFileSync(FILE, text(driver, existsSync(inf) ? inf : undefined), { flag: 'wx' });
  const others = found.length > 1 ? ` (also found: ${found.slice(1, 4).join(', ')})` : '';
  process.stdout.write(`${FILE} is written for ${driver}${others}. Now: npx haltex check\n`);
  return ExitCode.clean;
}

function text(driver: string, inf: string | undefined): string {
  const path = (value: string) => JSON.stringify(value.replaceAll('\\', '/'));
  return `import { defineConfig } from 'haltex';

export default defineConfig({
  driver: ${path(driver)},
${inf === undefined ? "  // inf: 'mydriver.inf',\n" : `  inf: ${path(inf)},\n`}  // The hardware: a model of your own, or a bundled one by name.
  // device: './my-nic.ts',
  reporters: ['pretty', 'html=haltex-report.html'],
});
`;
}

/** Miniports below a folder, nearest first. */
function drivers(folder: string, depth: number): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const path = (name: string) => (folder === '.' ? name : join(folder, name));
  const here = entries.filter((entry) => entry.isFile() && /\.sys$/i.test(entry.name)).map(({ name }) => path(name));
  const below = entries
    .filter((entry) => depth > 0 && entry.isDirectory() && !SKIPPED.has(entry.name))
    .flatMap(({ name }) => drivers(path(name), depth - 1));
  return [...here.filter(isMiniport), ...below];
}

function isMiniport(file: string): boolean {
  try {
    const { imports } = readImage(readFileSync(file));
    return imports.some(({ symbols }) => symbols.some(({ name }) => name === 'NdisMRegisterMiniportDriver'));
  } catch {
    return false;
  }
}
