/**
 * The door of this folder: the bytes of a PDB in, functions, files and lines of code out. Modules are read when an address
 * in them is asked for, so a large PDB costs what is used of it.
 */
import type { CodeView } from '../image.ts';
import type { Bytes } from './bytes.ts';
import { contributionAt, type Dbi, readDbi } from './dbi.ts';
import { PdbError } from './errors.ts';
import { functionName, TypeRecords } from './ids.ts';
import { readInfo, readStrings } from './info.ts';
import { type InlineSite, readInlineSites, siteLine } from './inlinees.ts';
import { type FileId, ModuleLines } from './lines.ts';
import { Msf } from './msf.ts';
import { type Place, Sections } from './sections.ts';
import { type Procedure, Publics, procedureAt, readProcedures } from './symbols.ts';

const INFO_STREAM = 1;
const TYPES_STREAM = 2;
const DBI_STREAM = 3;
const IDS_STREAM = 4;

/** A function, with the file and line where debug information has them. */
export interface SourcePlace {
  readonly function: string;
  /** As the compiler was told it: often a whole path of the build machine. */
  readonly file?: string;
  readonly line?: number;
}

/** What stands at an address. `file` and `line` are the function's own: where the outermost inlined one was called. */
export interface CodePlace extends SourcePlace {
  /** Bytes from the function's start. */
  readonly offset: number;
  /** Functions compiled into this place, innermost first. */
  readonly inlined: readonly SourcePlace[];
}

interface Module {
  readonly records: Bytes;
  readonly procedures: readonly Procedure[];
  readonly lines: ModuleLines;
  readonly sites: Map<Procedure, readonly InlineSite[]>;
}

/** Reads a PDB. Throws `PdbError` and nothing else. The bytes are kept, not copied: do not change them after. */
export function readPdb(bytes: Uint8Array): Pdb {
  return new Pdb(bytes);
}

/** Debug information of one image; `readPdb` gives it. */
export class Pdb {
  /** As in `CodeView.guid`. */
  readonly guid: string;
  /** As in `CodeView.age`. */
  readonly age: number;
  /** What is damaged without keeping the rest from being read: one sentence each, more as more is asked for. */
  readonly notes: string[] = [];
  readonly #msf: Msf;
  readonly #dbi: Dbi;
  readonly #sections: Sections;
  readonly #publics: Publics | undefined;
  readonly #strings: Bytes | undefined;
  readonly #modules = new Map<number, Module | undefined>();
  #types: TypeRecords | undefined;
  #ids: TypeRecords | undefined;
  #typesRead = false;

  constructor(bytes: Uint8Array) {
    this.#msf = new Msf(bytes);
    const info = readInfo(this.#required(INFO_STREAM, 'the information stream'));
    this.#dbi = readDbi(this.#required(DBI_STREAM, 'the debug information stream'));
    this.guid = info.guid;
    this.age = this.#dbi.age;
    this.#sections = this.#readSections();
    const names = info.named.get('/names');
    this.#strings = this.#lenient(() => {
      const stream = this.#optional(names, 'the table of strings');
      return stream === undefined ? undefined : readStrings(stream);
    });
    this.#publics = this.#lenient(() => {
      const index = this.#optional(this.#dbi.publicsStream, 'the stream of public symbols');
      const records = this.#optional(this.#dbi.recordsStream, 'the stream of symbol records');
      return index === undefined || records === undefined ? undefined : new Publics(index, records);
    });
  }

  /** The function, file and line at an address relative to the image; undefined where nothing is known. */
  locate(rva: number): CodePlace | undefined {
    return this.#lenient(() => {
      const place = this.#sections.placeOf(rva);
      if (place === undefined) return undefined;
      const { section, offset } = place;
      const { contributions } = this.#dbi;
      const contribution = contributionAt(contributions, section, offset);
      const module = contribution < 0 ? undefined : this.#module(contributions.module[contribution]!);
      const procedure = module === undefined ? undefined : procedureAt(module.procedures, section, offset);
      if (module !== undefined && procedure !== undefined) return this.#describe(module, procedure, section, offset);
      // No debug records (assembler, a library without them): the public symbol before it, if the linker put both there in one.
      const symbol = this.#publics?.before(section, offset);
      if (symbol === undefined || contribution < 0 || symbol.offset < contributions.offset[contribution]!)
        return undefined;
      return { function: symbol.name, offset: offset - symbol.offset, inlined: [] };
    });
  }

  #describe(module: Module, procedure: Procedure, section: number, offset: number): CodePlace {
    const within = offset - procedure.offset;
    const line = this.#lenient(() => module.lines.at(section, offset));
    return {
      function: procedure.name,
      offset: within,
      ...(line === undefined ? {} : this.#source(module, line.file, line.line)),
      inlined: this.#lenient(() => this.#inlined(module, procedure, within)) ?? [],
    };
  }

  #source(module: Module, file: FileId, line: number | undefined): { file?: string; line?: number } {
    const name = this.#lenient(() => module.lines.fileName(file));
    return name === undefined || line === undefined ? {} : { file: name, line };
  }

  #inlined(module: Module, procedure: Procedure, offset: number): SourcePlace[] {
    let sites = module.sites.get(procedure);
    if (sites === undefined) module.sites.set(procedure, (sites = readInlineSites(module.records, procedure)));
    /** Sites that hold the place, outermost first: each inside the one before. */
    const chain: SourcePlace[] = [];
    let innermost: InlineSite | undefined;
    for (const site of sites) {
      if (site.parent !== innermost) continue;
      const start = module.lines.inlinee(site.inlinee);
      const line = siteLine(site, offset, start ?? { file: -1, line: 0 });
      if (line === undefined) continue;
      innermost = site;
      const source = start === undefined ? {} : this.#source(module, line.file, line.line);
      chain.push({ function: this.#inlineeName(site.inlinee) ?? '(inlined function)', ...source });
    }
    return chain.reverse();
  }

  #inlineeName(id: number): string | undefined {
    if (!this.#typesRead) {
      this.#typesRead = true;
      const hashes = (stream: number) => this.#optional(stream, 'the index of types');
      const read = (number: number, what: string) =>
        this.#lenient(() => {
          const stream = this.#optional(number, what);
          return stream === undefined ? undefined : new TypeRecords(stream, hashes);
        });
      this.#types = read(TYPES_STREAM, 'the records of types');
      this.#ids = read(IDS_STREAM, 'the records of functions');
    }
    const { length } = this.notes;
    const ids = this.#ids;
    return ids === undefined || length > MAX_NOTES
      ? undefined
      : this.#lenient(() => functionName(ids, this.#types, id));
  }

  #module(index: number): Module | undefined {
    if (!this.#modules.has(index))
      this.#modules.set(
        index,
        this.#lenient(() => this.#readModule(index)),
      );
    return this.#modules.get(index);
  }

  #readModule(index: number): Module | undefined {
    const info = this.#dbi.modules[index];
    if (info === undefined || info.stream === undefined) return undefined;
    const what = `the module ${info.name}`;
    const stream = this.#required(info.stream, what);
    const records = stream.part(0, info.symbolBytes, `the symbols of ${what}`);
    const c13 = stream.part(info.symbolBytes + info.c11Bytes, info.c13Bytes, `the lines of ${what}`);
    return {
      records,
      procedures: readProcedures(records),
      lines: new ModuleLines(c13, this.#strings),
      sites: new Map(),
    };
  }

  #readSections(): Sections {
    const omap = this.#optional(this.#dbi.omapToSourceStream, 'the address map');
    const original = this.#optional(this.#dbi.originalSectionHeadersStream, 'the list of sections');
    const present = this.#optional(this.#dbi.sectionHeadersStream, 'the list of sections');
    const headers = omap === undefined ? present : (original ?? present);
    if (headers === undefined) {
      throw new PdbError(
        'unsupported',
        'the PDB does not list the sections of its image, so no address can be found in it.',
      );
    }
    return new Sections(headers, omap);
  }

  #required(index: number, what: string): Bytes {
    const stream = this.#msf.stream(index, what);
    if (stream === undefined) throw new PdbError('damaged', `the PDB lacks ${what}.`);
    return stream;
  }

  #optional(index: number | undefined, what: string): Bytes | undefined {
    const stream = index === undefined ? undefined : this.#msf.stream(index, what);
    return stream === undefined || stream.size === 0 ? undefined : stream;
  }

  /** For what only adds to the answer: damage becomes a note. */
  #lenient<Value>(read: () => Value): Value | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof PdbError)) throw error;
      if (this.notes.length < MAX_NOTES && !this.notes.includes(error.message)) this.notes.push(error.message);
      return undefined;
    }
  }

  /** Everything the PDB knows about code; for tests, which compare it with what others read. */
  *procedures(): Generator<{ readonly rva: number; readonly module: number; readonly procedure: Procedure }> {
    for (const index of this.#dbi.modules.keys()) {
      for (const procedure of this.#module(index)?.procedures ?? []) {
        yield { rva: this.#sections.rvaOf(procedure), module: index, procedure };
      }
    }
  }

  /** Every entry of every line table; for tests. */
  *lines(): Generator<{
    readonly rva: number;
    readonly place: Place;
    readonly file: string | undefined;
    readonly line: number | undefined;
  }> {
    for (const index of this.#dbi.modules.keys()) {
      const module = this.#module(index);
      for (const { section, offset, lines } of module?.lines.all() ?? []) {
        for (const { offset: further, file, line } of lines) {
          const place = { section, offset: offset + further };
          yield { rva: this.#sections.rvaOf(place), place, file: module?.lines.fileName(file), line };
        }
      }
    }
  }
}

/** More of them tell nobody more. */
const MAX_NOTES = 20;

/** Refuses a PDB that belongs to another build: `codeView` is the image's record of its own. */
export function requireMatch(pdb: Pdb, codeView: CodeView): void {
  if (pdb.guid === codeView.guid && pdb.age === codeView.age) return;
  throw new PdbError(
    'mismatch',
    `this PDB belongs to another build: it is ${pdb.guid} age ${pdb.age}, and the driver wants ${codeView.guid} age ${codeView.age}.`,
  );
}
