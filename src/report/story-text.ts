/** A story as text: two columns, and lines across where another goes on. */
import type { Story, StoryRow } from './story.ts';

export interface StoryStyle {
  /** Characters of a line; at least 60 are taken. */
  readonly width: number;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
}

const NARROWEST = 60;
const BETWEEN = ' │ ';

export function storyText({ halting, rows }: Story, style: StoryStyle): string {
  const width = Math.max(style.width, NARROWEST);
  const half = Math.floor((width - BETWEEN.length) / 2);
  const columns = (left: string, right: string, paint: (text: string) => string) =>
    `${paint(left.padEnd(half))}${style.dim(BETWEEN)}${paint(right)}`.trimEnd();
  const lines = [
    columns(cut(halting, half), 'what runs beside it', style.bold),
    style.dim(`${'─'.repeat(half + 1)}┼${'─'.repeat(width - half - 2)}`),
  ];
  let clock = rows[0]?.at;
  for (const [index, row] of rows.entries()) {
    if (row.side === 'across') {
      // Of several things that happen in a row, the last shows how late it is then.
      const moved = row.at !== clock && row.kind === 'turn' && rows[index + 1]?.kind !== 'turn';
      lines.push(...across(row, moved, width, style));
      if (moved) clock = row.at;
      continue;
    }
    const paint = row.text.startsWith('✗') ? style.red : row.kind === 'repeated' ? style.dim : (text: string) => text;
    const parts = wrapped(row.text, half, 4).map((text) => ({ text, paint }));
    if (row.place !== undefined) {
      parts.push(...wrapped(`    ${row.place}`, half, 4).map((text) => ({ text, paint: style.dim })));
    }
    for (const part of parts) {
      lines.push(row.side === 'halt' ? columns(part.text, '', part.paint) : columns('', part.text, part.paint));
    }
  }
  return `${lines.join('\n')}\n`;
}

function across({ kind, text, at }: StoryRow, moved: boolean, width: number, style: StoryStyle): string[] {
  if (kind === 'finding') return wrapped(`✗ ${text}`, width, 14).map(style.red);
  if (kind !== 'turn') return wrapped(text, width, 2);
  const time = moved ? `, at ${at.toLocaleString('en-US', { maximumFractionDigits: 4 })} ms` : '';
  const lines = wrapped(`── ${text}${time} `, width, 3);
  const last = (lines.pop() as string).trimEnd();
  return [...lines, `${last} ${'─'.repeat(Math.max(0, width - last.length - 1))}`.trimEnd()].map(style.dim);
}

const cut = (text: string, width: number) => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);

/** Lines of at most so many characters, those after the first indented; line breaks in the text stay. */
export function wrapped(text: string, width: number, indent: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lead = /^ */.exec(paragraph)?.[0] ?? '';
    const lines: string[] = [];
    let line = lead;
    for (const word of paragraph.trim().split(' ')) {
      let rest = word;
      if (line.trim() !== '' && line.length + 1 + rest.length > width) {
        lines.push(line);
        line = ' '.repeat(indent);
      } else if (line.trim() !== '') line += ' ';
      for (; line.length + rest.length > width; line = ' '.repeat(indent)) {
        const room = width - line.length;
        lines.push(line + rest.slice(0, room));
        rest = rest.slice(room);
      }
      line += rest;
    }
    return [...lines, line];
  });
}
