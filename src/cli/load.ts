/** Reads what the user names on the command line: drivers, devices, INF files. Every failure is one sentence. */
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ImageError } from '../image/errors.ts';
import type { Image } from '../image/image.ts';
import { readImage } from '../image/read.ts';
import type { DriverFile } from '../machine/driver-file.ts';
import { isMiniport } from '../machine/miniport.ts';
import { notAMiniport } from '../machine/not-a-miniport.ts';
import { InputError } from './errors.ts';

const SCRIPT = /\.[cm]?[jt]s$/;

export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'it is a folder'
          : `it cannot be read (${code})`;
    throw new InputError(`${path}: ${why}.`);
  }
}

/** Imports a TypeScript or JavaScript module of the user's and gives its default export. `haltex` in it means this haltex. */
export async function importDefault(path: string): Promise<unknown> {
  readBytes(path);
  // only a driver or a device in TypeScript needs it
  const { createJiti } = await import('jiti');
  const own = fileURLToPath(new URL('../index.js', import.meta.url));
  const source = own.replace(/([/\\])dist([/\\])index\.js$/, '$1src$2index.ts');
  const jiti = createJiti(import.meta.url, {
    alias: { haltex: import.meta.url.endsWith('.ts') ? source : own },
    moduleCache: true,
  });
  try {
    return await jiti.import(resolve(path), { default: true });
  } catch (error) {
    throw new InputError(`${path}: it cannot be loaded: ${(error as Error).message.split('\n')[0]}.`);
  }
}

export async function loadDriverFile(path: string): Promise<DriverFile> {
  const name = basename(path);
  if (SCRIPT.test(path)) {
    const miniport = await importDefault(path);
    if (!isMiniport(miniport))
      throw new InputError(`${path}: its default export is not a miniport; write «export default defineMiniport(…)».`);
    return { kind: 'typescript', name, miniport };
  }
  const image = imageOf(path, readBytes(path));
  const other = notAMiniport(image);
  if (other !== undefined) throw new InputError(`${path}: ${other}`);
  return { kind: 'image', name, image };
}

function imageOf(path: string, bytes: Uint8Array): Image {
  try {
    return readImage(bytes);
  } catch (error) {
    if (error instanceof ImageError) throw new InputError(`${path}: ${error.message}`);
    throw error;
  }
}
