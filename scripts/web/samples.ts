/** The bundled samples as the web app's files, and their list as a module (`virtual:samples`). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import type { Sample } from '../../src/web/app/sample.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const MODULE = 'virtual:samples';

function list(): Sample[] {
  const twins = readdirSync(join(root, 'samples/c/broken'));
  const rules = twins.filter((rule) => existsSync(join(root, `samples/c/broken/${rule}/${rule}.sys`)));
  const inC = (folder: string, name: string, breaks?: string): Sample => {
    const pdb = `samples/c/${folder}/${name}.pdb`;
    return {
      driver: `samples/c/${folder}/${name}.sys`,
      language: 'C',
      ...(breaks === undefined ? {} : { breaks }),
      files: existsSync(join(root, pdb)) ? [pdb] : [],
    };
  };
  const scripts = (folder: string) => readdirSync(join(root, folder)).filter((name) => name.endsWith('.ts'));
  return [
    inC('nic', 'nic'),
    ...rules.map((rule) => inC(`broken/${rule}`, rule, rule)),
    ...scripts('samples/typescript').map(
      (name): Sample => ({
        driver: `samples/typescript/${name}`,
        language: 'TypeScript',
        files: [],
      }),
    ),
    ...scripts('samples/typescript/broken').map(
      (name): Sample => ({
        driver: `samples/typescript/broken/${name}`,
        language: 'TypeScript',
        breaks: name.replace(/\.ts$/, ''),
        files: [],
      }),
    ),
  ];
}

/** Texts by path: TypeScript to run, C to show beside the stacks. */
function sources(): Record<string, string> {
  const wanted = (path: string) => path.endsWith('.ts') || /^c[\\/](nic|broken)[\\/].*\.[ch]$/.test(path);
  const paths = readdirSync(join(root, 'samples'), { recursive: true, encoding: 'utf8' }).filter(wanted).toSorted();
  return Object.fromEntries(
    paths.map((path) => [`samples/${path.replaceAll('\\', '/')}`, readFileSync(join(root, 'samples', path), 'utf8')]),
  );
}

export function bundledSamples(): Plugin {
  return {
    name: 'haltex:samples',
    apply: 'build',
    buildStart() {
      for (const { driver, files } of list()) {
        for (const path of [driver, ...files]) {
          if (path.endsWith('.ts')) continue;
          this.emitFile({ type: 'asset', fileName: path, source: readFileSync(join(root, path)) });
        }
      }
      this.emitFile({ type: 'asset', fileName: 'samples/sources.json', source: JSON.stringify(sources()) });
    },
    resolveId: (id) => (id === MODULE ? `\0${MODULE}` : undefined),
    load: (id) => (id === `\0${MODULE}` ? `export const samples = ${JSON.stringify(list())};` : undefined),
  };
}
