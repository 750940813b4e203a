/** Every reporter by the name `--reporter` takes. */
import { json } from './json.ts';
import { pretty } from './pretty.ts';
import type { Reporter } from './reporter.ts';

export const reporters: Readonly<Record<string, Reporter>> = { json, pretty };
