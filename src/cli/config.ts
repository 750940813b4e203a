/** `haltex.config.ts`: what the command line would say, kept in a file. Flags go before it. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { InputError } from './errors.ts';
import { importDefault } from './load.ts';

/** Paths are relative to the configuration's folder. */
export interface HaltexConfig {
  /** The driver that `haltex check` plays when none is named. */
  readonly driver?: string;
  /** As `--device`: a bundled model, a `.ts` file, `generic`, a hardware id, or `none`. */
  readonly device?: string;
  readonly inf?: string;
  /** The driver's PDB, or the folder it is in. */
  readonly symbols?: string;
  /** As `--reporter`: `name` or `name=file`. */
  readonly reporters?: readonly string[];
  /** Scenarios at most, or a time: `500`, `'30s'`, `'5m'`. */
  readonly budget?: number | string;
  /** Stop at the first finding. */
  readonly bail?: boolean;
  /** Search for races around halt too. */
  readonly races?: boolean;
  /** Rules or phases, as `--only`. */
  readonly only?: readonly string[];
  /** Threads that play beside the first. */
  readonly workers?: number;
}

/** Gives a configuration its type: `export default defineConfig({ driver: 'x64/mydriver.sys' })`. */
export function defineConfig(config: HaltexConfig): HaltexConfig {
  return config;
}

const schema = z.strictObject({
  driver: z.string().optional(),
  device: z.string().optional(),
  inf: z.string().optional(),
  symbols: z.string().optional(),
  reporters: z.array(z.string()).optional(),
  budget: z.union([z.int().positive(), z.string()]).optional(),
  bail: z.boolean().optional(),
  races: z.boolean().optional(),
  only: z.array(z.string()).optional(),
  workers: z.int().nonnegative().max(999).optional(),
});

const NAMES = ['haltex.config.ts', 'haltex.config.mts', 'haltex.config.js', 'haltex.config.mjs'];

/** The configuration named, or the one in this folder; an empty one when there is none. */
export async function loadConfig(named: string | undefined): Promise<HaltexConfig> {
  const file = named ?? NAMES.find((name) => existsSync(name));
  if (file === undefined) return {};
  const given = schema.safeParse(await importDefault(file));
  if (!given.success) {
    const [issue] = given.error.issues;
    const field = issue?.path.join('.') ?? '';
    throw new InputError(
      `${file}: ${field === '' ? '' : `«${field}»: `}${issue?.message ?? 'it is no configuration'}; write «export default defineConfig({ … })».`,
    );
  }
  return inFolder(given.data as HaltexConfig, dirname(file));
}

/** The configuration with its paths as seen from here. */
function inFolder(config: HaltexConfig, folder: string): HaltexConfig {
  const from = (path: string) => (folder === '.' ? path : resolve(folder, path));
  const { driver, inf, symbols, device } = config;
  return {
    ...config,
    ...(driver === undefined ? {} : { driver: from(driver) }),
    ...(inf === undefined ? {} : { inf: from(inf) }),
    ...(symbols === undefined ? {} : { symbols: from(symbols) }),
    ...(device !== undefined && /\.[cm]?[jt]s$/.test(device) ? { device: from(device) } : {}),
  };
}
