/** The bundled samples: what the page offers, and how their files come to it. The build puts them beside the page. */
import { samples } from 'virtual:samples';
import type { Check, GivenFile } from './messages.ts';
import type { Sample } from './sample.ts';

export { type Sample, samples };

/** The sample's files: the driver, what lies beside it, and the sources of all samples. */
export async function filesOf({ driver, files }: Sample): Promise<Pick<Check, 'files' | 'driver'>> {
  const bytes = async (path: string): Promise<GivenFile> => ({
    path,
    bytes: new Uint8Array(await (await got(path)).arrayBuffer()),
  });
  const sources = (await (await got('samples/sources.json')).json()) as Record<string, string>;
  const encoder = new TextEncoder();
  const texts = Object.entries(sources).map(([path, text]): GivenFile => ({ path, bytes: encoder.encode(text) }));
  const binaries = [driver, ...files].filter((path) => !(path in sources));
  return { driver, files: [...(await Promise.all(binaries.map(bytes))), ...texts] };
}

async function got(path: string): Promise<Response> {
  const answer = await fetch(new URL(`./${path}`, document.baseURI));
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${answer.statusText}`);
  return answer;
}
