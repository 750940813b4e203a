/** Source files given with a driver: a report shows the lines that debug information names. */
const SOURCE = /\.(c|cc|cpp|cxx|h|hh|hpp|hxx|inl|inc|asm|s|rs|zig|[cm]?[jt]s)$/i;

export const isSource = ({ path }: { readonly path: string }): boolean => SOURCE.test(path);

const partsOf = (path: string) => path.split(/[\\/]/).filter((part) => part !== '' && part !== '.');

/** The text of the file whose path ends most like the one named, as another machine named it. */
export function sourceAmong(texts: ReadonlyMap<string, string>): (file: string) => string | undefined {
  const given = [...texts].map(([path, text]) => ({ parts: partsOf(path), text }));
  return (file) => {
    const wanted = partsOf(file);
    let best: { alike: number; text: string } | undefined;
    for (const { parts, text } of given) {
      let alike = 0;
      while (alike < parts.length && alike < wanted.length && same(parts.at(-1 - alike), wanted.at(-1 - alike)))
        alike++;
      if (alike > (best?.alike ?? 0)) best = { alike, text };
    }
    return best?.text;
  };
}

/** Windows' names. */
const same = (a: string | undefined, b: string | undefined) => a?.toLowerCase() === b?.toLowerCase();
