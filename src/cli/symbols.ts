/** Which PDB belongs to a driver: the one named by --symbols, or one that lies beside the driver. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { CodeView } from '../image/image.ts';
import { PdbError } from '../image/pdb/errors.ts';
import type { DriverFile } from '../machine/driver-file.ts';
import { baseName } from '../report/place.ts';
import { type Symbols, symbolsFrom } from '../report/symbols.ts';
import { InputError } from './errors.ts';
import { readBytes } from './load.ts';

export interface FoundSymbols {
  readonly symbols?: Symbols;
  /** Why a PDB beside the driver is not used: one sentence, for the user to see. */
  readonly warning?: string;
}

/**
 * @param path the driver's file
 * @param named what --symbols says: a PDB, or a folder with it
 * @throws InputError when the one named is missing, damaged, or another build's; beside the driver that is a warning
 */
export function symbolsFor(driver: DriverFile, path: string, named: string | undefined): FoundSymbols {
  if (driver.kind === 'typescript') {
    if (named !== undefined) throw new InputError(`--symbols ${named}: a miniport in TypeScript has no PDB.`);
    return {};
  }
  const { codeView } = driver.image.debug;
  if (named !== undefined) {
    if (codeView === undefined) {
      throw new InputError(
        `--symbols ${named}: ${path} does not say which PDB is its own (it was linked without /DEBUG), so none can be used.`,
      );
    }
    return { symbols: readSymbols(driver.name, inFolder(named, path, codeView) ?? named, codeView) };
  }
  const beside = candidates(dirname(path), path, codeView).find((file) => existsSync(file));
  if (beside === undefined) return {};
  if (codeView === undefined) {
    return {
      warning: `${beside} is not used: ${path} does not say which PDB is its own (it was linked without /DEBUG).`,
    };
  }
  try {
    return { symbols: readSymbols(driver.name, beside, codeView) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { warning: `symbols are not used: ${error.message}` };
  }
}

function readSymbols(module: string, file: string, codeView: CodeView): Symbols {
  const bytes = readBytes(file);
  try {
    return symbolsFrom(module, bytes, codeView);
  } catch (error) {
    if (error instanceof PdbError) throw new InputError(`${file}: ${error.message}`);
    throw error;
  }
}

/** The PDB in the folder named; undefined when it is not a folder. */
function inFolder(named: string, path: string, codeView: CodeView): string | undefined {
  if (statSync(named, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  const name = baseName(codeView.path);
  const files = candidates(named, path, codeView);
  // As symbol servers store them.
  if (name !== '')
    files.push(join(named, name, `${codeView.guid.replaceAll('-', '')}${codeView.age.toString(16)}`, name));
  const found = files.find((file) => existsSync(file));
  if (found === undefined) {
    const wanted = [...new Set(files.slice(0, 2).map((file) => basename(file)))].join(' or ');
    throw new InputError(`--symbols ${named}: there is no ${wanted} in this folder.`);
  }
  return found;
}

/** Named like the driver, and as the driver's debug record says, whatever folder it had on the build machine. */
function candidates(folder: string, path: string, codeView: CodeView | undefined): string[] {
  const own = join(folder, basename(path).replace(/(\.\w+)?$/, '.pdb'));
  const recorded = codeView === undefined ? '' : baseName(codeView.path);
  return recorded === '' ? [own] : [own, join(folder, recorded)];
}
