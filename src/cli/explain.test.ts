import pc from 'picocolors';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { catalogue } from '../contract/rules.ts';
import { InputError } from './errors.ts';
import { list, plain, runExplain } from './explain.ts';

const none = pc.createColors(false);

afterEach(() => vi.restoreAllMocks());

function printed(rule: string | undefined): string {
  const out: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out.push(String(text));
    return true;
  });
  expect(runExplain(rule)).toBe(0);
  return out.join('');
}

describe('haltex explain', () => {
  it('lists every rule with its severity, under chapters', () => {
    const text = list(none);
    for (const { id, severity } of catalogue()) expect(text).toMatch(new RegExp(`^  ${severity} +${id} `, 'm'));
    expect(text).toMatch(/^What MiniportHaltEx owes$/m);
    expect(text).toContain(`${catalogue().length} rules`);
  });

  it('prints a page without markup or colour when it does not go to a terminal', () => {
    const text = printed('halt-leaks-interrupt');
    expect(text).toMatch(/^halt-leaks-interrupt\n\nerror: an interrupt is still held/);
    expect(text).toMatch(/^Why$/m);
    expect(text).toContain(
      '    https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndismregisterinterruptex',
    );
    expect(text).toMatch(
      /^Broken$[\s\S]*NdisMDeregisterInterruptEx is missing[\s\S]*^Mended$[\s\S]*NdisMDeregisterInterruptEx\(/m,
    );
    expect(text).not.toMatch(/```|^#|\]\(/m);
    expect(text).not.toContain(String.fromCharCode(27));
  });

  it.each(catalogue().map(({ id }) => id))('has %s', (id) => {
    const text = printed(id);
    expect(text.startsWith(`${id}\n`)).toBe(true);
    expect(text).not.toMatch(/^#|```|\]\(https?:/m);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('suggests the rule that was meant', () => {
    expect(() => runExplain('halt-leak-interrupts')).toThrow(
      new InputError('there is no rule «halt-leak-interrupts»; did you mean «halt-leaks-interrupt»?'),
    );
    expect(() => runExplain('x')).toThrow(new InputError('there is no rule «x»; haltex explain lists the rules.'));
  });

  it('wraps paragraphs and leaves code as it is', () => {
    const long = 'word '.repeat(40).trim();
    expect(plain(`# id\n\n${long}\n\n\`\`\`ts\n${long}\n\`\`\`\n`, none)).toBe(
      `id\n\n  ${'word '.repeat(19).trim()}\n  ${'word '.repeat(19).trim()}\n  word word\n\n    ${long}\n`,
    );
  });
});
