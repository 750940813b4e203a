/** Finds the source files that debug information names, for the lines a report shows. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A driver's debug information may name any file; a report shows source code and nothing else. */
const SOURCE = /\.(c|cc|cpp|cxx|h|hh|hpp|hxx|inl|inc|asm|s|rs|zig|[cm]?[jt]s)$/i;

/** Components of a path that may still stand where it was built, from the end. */
const DEEPEST = 6;

/**
 * Where a file named on another machine is here: as named, or its last components under the current folder, the driver's
 * folder or the one above. A bare name is looked for in the folders beside the driver too.
 */
export function sourceFinder(driverPath: string): (file: string) => string | undefined {
  const home = dirname(driverPath);
  const bases = ['.', home, dirname(home)];
  const known = new Map<string, string | undefined>();
  const find = (file: string): string | undefined => {
    if (!SOURCE.test(file)) return undefined;
    const parts = file.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) return undefined;
    const ends = Array.from({ length: Math.min(parts.length, DEEPEST) }, (_, i) => parts.slice(-parts.length + i));
    const named = [file, ...ends.flatMap((end) => bases.map((base) => join(base, ...end)))];
    const beside =
      parts.length === 1 ? [home, dirname(home)].flatMap(foldersIn).map((folder) => join(folder, file)) : [];
    return [...named, ...beside].find((candidate) => existsSync(candidate));
  };
  return (file) => {
    if (!known.has(file)) known.set(file, textOf(find(file)));
    return known.get(file);
  };
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
      .map(({ name }) => join(folder, name));
  } catch {
    return [];
  }
}

function textOf(path: string | undefined): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
