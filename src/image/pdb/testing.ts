/** For tests: what LLVM's tools read from a PDB, beside what this folder reads. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readImage } from '../read.ts';
import { type Pdb, readPdb } from './pdb.ts';

export const missingTools = ['llvm-symbolizer', 'llvm-pdbutil'].filter(
  (tool) => spawnSync(tool, ['--help'], { stdio: 'ignore' }).error !== undefined,
);

/** `samples/c`, whose clean driver and one twin have their PDBs committed. */
export const samples = fileURLToPath(new URL('../../../samples/c/', import.meta.url));

export interface Pair {
  readonly sys: string;
  readonly image: ReturnType<typeof readImage>;
  readonly pdb: Pdb;
  readonly pdbPath: string;
}

export function readPair(sys: string): Pair {
  const pdbPath = sys.replace(/\.sys$/, '.pdb');
  return { sys, image: readImage(readFileSync(sys)), pdb: readPdb(readFileSync(pdbPath)), pdbPath };
}

/** A place in words, innermost function first: `NicRead nic\hardware.c:28 < NicReset nic\hardware.c:40`. */
type Words = string;

const inWords = (frames: readonly { function: string; file?: string; line?: number }[]): Words =>
  frames.map(({ function: name, file, line }) => (line ? `${name} ${file}:${line}` : name)).join(' < ');

export function ours({ pdb }: Pair, rva: number): Words | undefined {
  const place = pdb.locate(rva);
  return place === undefined ? undefined : inWords([...place.inlined, place]);
}

interface SymbolizerAnswer {
  readonly Symbol: readonly { readonly FunctionName: string; readonly FileName: string; readonly Line: number }[];
}

/** What llvm-symbolizer says of each address; undefined where it knows no function (thunks of the linker). */
export function symbolizer({ sys, image }: Pair, rvas: readonly number[]): (Words | undefined)[] {
  const input = rvas.map((rva) => `0x${(image.imageBase + BigInt(rva)).toString(16)}\n`).join('');
  const options = [`--obj=${sys}`, '--inlines', '--functions=short', '--no-demangle', '--output-style=JSON'];
  const output = execFileSync('llvm-symbolizer', options, { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  return output
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as SymbolizerAnswer).Symbol)
    .map((frames) =>
      frames[0]?.FunctionName === ''
        ? undefined
        : inWords(
            frames.map(({ FunctionName, FileName, Line }) => ({ function: FunctionName, file: FileName, line: Line })),
          ),
    );
}

/** Every entry of every line table as `file:line @ section:offset`, from llvm-pdbutil, sorted. */
export function lineTable({ pdbPath }: Pair): string[] {
  const output = execFileSync('llvm-pdbutil', ['dump', '-l', pdbPath], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const entries: string[] = [];
  let file = '';
  let section = 0;
  for (const line of output.split('\n')) {
    // For a module without a stream the tool repeats what it printed last.
    if (line.startsWith('(unknown file name')) file = '';
    const heading = /^(\S.*) \((MD5|SHA-1|SHA-256|None|no checksum)/.exec(line);
    const range = /^ {2}([0-9A-F]{4}):[0-9A-F]{8}-[0-9A-F]{8}, /.exec(line);
    if (heading?.[1] !== undefined) file = heading[1];
    else if (range?.[1] !== undefined) section = Number.parseInt(range[1], 16);
    else if (file !== '' && /^ +\d+ [0-9A-F]{8}/.test(line)) {
      for (const [, number, at] of line.matchAll(/(\d+) ([0-9A-F]{8})/g)) {
        entries.push(`${file}:${number} @ ${section}:${Number.parseInt(at ?? '', 16)}`);
      }
    }
  }
  return entries.sort();
}

/** The functions that llvm-pdbutil lists in the modules, as `name @ section:offset+size`, sorted. */
export function procedureTable({ pdbPath }: Pair): string[] {
  const output = execFileSync('llvm-pdbutil', ['dump', '-symbols', pdbPath], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const entry = /S_[GL]PROC32(?:_ID)? \[.*?\] `(.*)`\n.*addr = (\d+):(\d+), code size = (\d+)/g;
  return [...output.matchAll(entry)]
    .map(([, name, section, offset, size]) => `${name} @ ${Number(section)}:${Number(offset)}+${size}`)
    .sort();
}
