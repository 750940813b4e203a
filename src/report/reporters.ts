/** Every reporter by the name `--reporter` takes. */
import { github } from './github.ts';
import { html } from './html.ts';
import { json } from './json.ts';
import { junit } from './junit.ts';
import { pretty } from './pretty.ts';
import type { Reporter } from './reporter.ts';
import { sarif } from './sarif.ts';
import { trace } from './trace.ts';

export const reporters: Readonly<Record<string, Reporter>> = { pretty, json, sarif, junit, trace, html, github };
