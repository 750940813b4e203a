/**
 * The lines of an INF file: bytes to text, text to sections, a line to its fields, %strings% to what they stand for. Page:
 * install/general-syntax-rules-for-inf-files. Any bytes have lines; what is not as the page has it is a problem with its number.
 */

/** What is wrong with a line, in one sentence. */
export interface InfProblem {
  /** From 1; 0 for the file as a whole. */
  readonly line: number;
  readonly text: string;
}

/** A logical line: continued ones are joined, comments are gone. */
export interface InfLine {
  readonly number: number;
  readonly text: string;
}

export type InfSections = ReadonlyMap<string, readonly InfLine[]>;

export class InfText {
  /** By name in lower case; several of one name are one. */
  readonly sections: InfSections;
  readonly problems: InfProblem[] = [];
  private readonly strings: ReadonlyMap<string, string>;

  constructor(bytes: Uint8Array) {
    this.sections = this.split(decode(bytes));
    this.strings = this.readStrings();
  }

  problem(line: number, text: string): void {
    if (!this.problems.some((known) => known.line === line)) this.problems.push({ line, text });
  }

  section(name: string): readonly InfLine[] | undefined {
    return this.sections.get(name.trim().toLowerCase());
  }

  /** The fields between commas, unquoted, with strings in place of their names; `text` may be a part of the line. */
  fields(line: InfLine, text = line.text): string[] {
    if (text.trim() === '') return [];
    return outsideQuotes(text, ',').map((part) => this.expand(unquote(part), line));
  }

  /** The two sides of the first equals sign; the left one is undefined where there is none. */
  assignment(line: InfLine): { readonly left: string | undefined; readonly right: string } {
    const [first = '', ...rest] = outsideQuotes(line.text, '=');
    if (rest.length === 0) return { left: undefined, right: line.text };
    return { left: this.expand(unquote(first), line), right: rest.join('=') };
  }

  private expand(text: string, line: InfLine): string {
    return text.replace(/%([^%]*)%/g, (whole, name: string) => {
      if (name === '') return '%';
      const known = this.strings.get(name.toLowerCase());
      // A number is a folder's (a "dirid"), for the installer to fill in.
      if (known === undefined && !/^-?\d+$/.test(name)) this.problem(line.number, `[Strings] has no «${name}»`);
      return known ?? whole;
    });
  }

  private split(text: string): InfSections {
    const sections = new Map<string, InfLine[]>();
    let current: InfLine[] | undefined;
    for (const { number, text: line } of this.logicalLines(text)) {
      const header = /^\[([^\]]*)\]?/.exec(line);
      if (header !== null) {
        if (!/^\[[^\]]+\]$/.test(line)) this.problem(number, 'a section name stands alone in its line, as in [Name]');
        const name = (header[1] as string).trim().toLowerCase();
        current = sections.get(name) ?? [];
        sections.set(name, current);
      } else if (current === undefined)
        this.problem(number, 'it stands before the first section, so it belongs to none');
      else current.push({ number, text: line });
    }
    return sections;
  }

  /** Without comments, and with continued lines joined. */
  private *logicalLines(text: string): Iterable<InfLine> {
    let joined = '';
    let start = 0;
    const physical = text.split(/\r\n|\r|\n/);
    for (const [i, raw] of physical.entries()) {
      const [code = ''] = outsideQuotes(raw, ';');
      if (joined === '') start = i + 1;
      const continued = /\\\s*$/.exec(code);
      if (continued !== null && i + 1 < physical.length) {
        joined += code.slice(0, continued.index);
        if (joined === '') joined = ' ';
        continue;
      }
      const line = (joined + code).trim();
      joined = '';
      if (line === '') continue;
      if ((line.match(/"/g)?.length ?? 0) % 2 === 1) this.problem(start, 'a quotation mark has no partner');
      yield { number: start, text: line };
    }
  }

  private readStrings(): Map<string, string> {
    const strings = new Map<string, string>();
    // Those of one language only help where the common ones say nothing.
    const names = [...this.sections.keys()].filter((name) => name === 'strings' || name.startsWith('strings.'));
    for (const name of names.toSorted()) {
      for (const line of this.sections.get(name) ?? []) {
        const [left = '', ...right] = outsideQuotes(line.text, '=');
        if (right.length === 0) {
          this.problem(line.number, 'a line of [Strings] reads Name = "text"');
          continue;
        }
        const key = unquote(left).toLowerCase();
        if (!strings.has(key)) strings.set(key, unquote(right.join('=')));
      }
    }
    return strings;
  }
}

/** UTF-16 by its mark, UTF-8, or what Windows calls ANSI. */
function decode(bytes: Uint8Array): string {
  const mark = bytes.length < 2 ? 0 : ((bytes[0] as number) << 8) | (bytes[1] as number);
  if (mark === 0xfffe || mark === 0xfeff) {
    return new TextDecoder(mark === 0xfffe ? 'utf-16le' : 'utf-16be').decode(bytes.subarray(2));
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/** The parts between a character that stands outside quotation marks. */
function outsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') quoted = !quoted;
    else if (text[i] === separator && !quoted) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)];
}

function unquote(text: string): string {
  const trimmed = text.trim();
  return trimmed.startsWith('"') && trimmed.endsWith('"') && trimmed.length >= 2
    ? trimmed.slice(1, -1).replaceAll('""', '"')
    : trimmed;
}
