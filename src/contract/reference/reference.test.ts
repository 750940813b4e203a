import { describe, expect, it } from 'vitest';
import { owed } from '../leaks.ts';
import { pageUrl } from '../pages.ts';
import { catalogue } from '../rules.ts';
import { kinds } from './leak-kinds.ts';
import { chapters, explanationOf } from './reference.ts';

const ids = catalogue().map(({ id }) => id);
const explained = chapters.flatMap(({ rules }) => Object.keys(rules));

describe('the rule reference', () => {
  it('has every rule of the catalogue once, and no others', () => {
    expect(explained.toSorted()).toEqual(ids);
  });

  it('has every kind of resource that can be owed, and no others', () => {
    expect(Object.keys(kinds).toSorted()).toEqual(owed.map(({ type }) => type).toSorted());
  });

  it.each(ids)('%s: whole sentences, one to three of them and what its kind shares', (id) => {
    const { why, allowed, looksAt } = explanationOf(id) as NonNullable<ReturnType<typeof explanationOf>>;
    for (const text of [why, looksAt, ...(allowed === undefined ? [] : [allowed])]) {
      expect(text).toMatch(/^[A-Z].*\.$/);
      expect(text).not.toMatch(/ {2}|undefined|\*|_{2,}[^t]/);
    }
    const sentences = why.split(/[.?] (?=[A-Z])/).length;
    expect(sentences).toBeLessThanOrEqual(4);
  });

  it.each(catalogue().map(({ id, sources }) => [id, sources] as const))(
    '%s names a page of Microsoft’s',
    (_, sources) => {
      expect(sources.filter((source) => pageUrl(source) !== undefined)).not.toEqual([]);
    },
  );
});
