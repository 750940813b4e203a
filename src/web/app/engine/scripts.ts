/**
 * Modules in TypeScript or JavaScript that were dropped on the page. Types are stripped, imports are pointed at the other files
 * given or, for `haltex`, at this haltex, and the module is loaded under an address that only this page knows. What it may reach is
 * what the page may reach: nothing.
 */
import { parse } from 'es-module-lexer/js';
import * as haltex from '../../../authoring.ts';
import { baseName } from '../../../report/place.ts';
import { Refusal } from './refusal.ts';

const SCRIPT = /\.[cm]?[jt]s$/;
const TYPED = /\.[cm]?ts$/;

export const isScript = (path: string): boolean => SCRIPT.test(path) && !path.endsWith('.d.ts');

interface Import {
  readonly specifier: string;
  /** Where it stands in the code. */
  readonly start: number;
  readonly end: number;
}
interface Script {
  readonly code: string;
  readonly imports: readonly Import[];
}

export class Scripts {
  private readonly files: ReadonlyMap<string, string>;
  private readonly read = new Map<string, Script>();
  private readonly addresses = new Map<string, string>();
  private haltex: string | undefined;

  /** @param files texts by path */
  constructor(files: ReadonlyMap<string, string>) {
    this.files = files;
  }

  /** The scripts that no other of them imports. */
  async roots(): Promise<string[]> {
    const imported = new Set<string>();
    for (const path of this.files.keys()) {
      for (const { specifier } of (await this.script(path)).imports) {
        const found = this.find(path, specifier);
        if (found !== undefined && found !== path) imported.add(found);
      }
    }
    return [...this.files.keys()].filter((path) => !imported.has(path));
  }

  /** The module's default export. @throws Refusal */
  async importDefault(path: string): Promise<unknown> {
    const address = await this.address(path, []);
    try {
      return ((await import(/* @vite-ignore */ address)) as { default?: unknown }).default;
    } catch (error) {
      throw cannotLoad(path, error);
    }
  }

  private async script(path: string): Promise<Script> {
    const known = this.read.get(path);
    if (known !== undefined) return known;
    const text = this.files.get(path) ?? '';
    try {
      const code = TYPED.test(path) ? await withoutTypes(text) : text;
      const imports = parse(code)[0].flatMap(({ n: specifier, s, e, d }): Import[] => {
        if (specifier === undefined) return [];
        // Of a dynamic import the quotes are part of it.
        return [{ specifier, start: d < 0 ? s : s + 1, end: d < 0 ? e : e - 1 }];
      });
      const script = { code, imports };
      this.read.set(path, script);
      return script;
    } catch (error) {
      throw cannotLoad(path, error);
    }
  }

  /** Where the module can be imported from, once everything it imports can. */
  private async address(path: string, importers: readonly string[]): Promise<string> {
    const known = this.addresses.get(path);
    if (known !== undefined) return known;
    if (importers.includes(path)) {
      throw new Refusal(
        `${path}: it imports itself by way of ${importers.at(-1)}, which a page cannot load; check it on the command line: npx haltex check.`,
      );
    }
    const { code, imports } = await this.script(path);
    let text = '';
    let from = 0;
    for (const { specifier, start, end } of imports) {
      text += code.slice(from, start) + (await this.target(path, specifier, importers));
      from = end;
    }
    // Stacks name the module as its user does.
    text += `${code.slice(from)}\n//# sourceURL=${encodeURI(baseName(path))}`;
    const address = moduleOf(text);
    this.addresses.set(path, address);
    return address;
  }

  private async target(path: string, specifier: string, importers: readonly string[]): Promise<string> {
    if (specifier === 'haltex') return (this.haltex ??= haltexModule());
    const found = this.find(path, specifier);
    if (found !== undefined) return this.address(found, [...importers, path]);
    throw new Refusal(
      specifier.startsWith('.')
        ? `${path}: it imports «${specifier}», which was not given; drop that file with it, or the whole folder.`
        : `${path}: it imports «${specifier}», and a page has no packages; check it on the command line: npx haltex check ${baseName(path)}.`,
    );
  }

  /** The file that a relative import means: where it should be, or the only one of its name. */
  private find(path: string, specifier: string): string | undefined {
    if (!specifier.startsWith('.')) return undefined;
    const { pathname } = new URL(specifier, `file:///${path}`);
    const wanted = decodeURI(pathname).slice(1);
    const candidates = [wanted, wanted.replace(/\.([cm]?)js$/, '.$1ts'), `${wanted}.ts`, `${wanted}.js`];
    const there = candidates.find((candidate) => this.files.has(candidate));
    if (there !== undefined) return there;
    const names = new Set(candidates.map(baseName));
    const alike = [...this.files.keys()].filter((file) => names.has(baseName(file)));
    return alike.length === 1 ? alike[0] : undefined;
  }
}

/** The same lines without types. What does it is loaded when the first script is. */
async function withoutTypes(text: string): Promise<string> {
  const { transform } = await import('sucrase');
  return transform(text, { transforms: ['typescript'], disableESTransforms: true }).code;
}

/** A module that gives what this haltex has. */
function haltexModule(): string {
  const shared = '__haltex';
  Object.assign(globalThis, { [shared]: haltex });
  const names = Object.keys(haltex).join(', ');
  return moduleOf(`export const { ${names} } = globalThis.${shared};`);
}

const moduleOf = (code: string) => URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));

function cannotLoad(path: string, error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new Refusal(`${path}: it cannot be loaded: ${text.split('\n')[0]}.`);
}
