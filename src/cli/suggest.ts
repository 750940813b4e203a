/** The end of a sentence: `; did you mean «json»?` for a mistyped name, or the list of what there is. */
export function suggestion(given: string, known: readonly string[]): string {
  const near = nearest(given, known);
  return near === undefined ? `; there are ${known.join(', ')}.` : `; did you mean «${near}»?`;
}

/** The known name that may have been meant; undefined when none is near. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const near = known.map((name) => ({ name, far: distance(given, name) })).sort((a, b) => a.far - b.far)[0];
  return near !== undefined && near.far <= Math.max(2, Math.floor(near.name.length / 4)) ? near.name : undefined;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (above[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min((row[j - 1] as number) + 1, (above[j] as number) + 1, swap));
    }
  }
  return row[b.length] as number;
}
