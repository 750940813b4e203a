/**
 * The service worker of the web app with the list of the build's files in it, and a name for its cache that changes whenever one
 * of them does.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

export function offline(): Plugin {
  return {
    name: 'haltex:offline',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const hash = createHash('sha256');
      const files = Object.keys(bundle)
        .filter((name) => !name.endsWith('.map'))
        .toSorted();
      for (const name of files) {
        const file = bundle[name];
        hash.update(name).update(file?.type === 'chunk' ? file.code : (file?.source ?? ''));
      }
      const names = files.map((name) => (name === 'index.html' ? './' : name));
      const source = readFileSync(new URL('../../src/web/app/service-worker.js', import.meta.url), 'utf8')
        .replace('__NAME__', hash.digest('hex').slice(0, 16))
        .replace("'__FILES__'", JSON.stringify(names));
      if (source.includes('__')) this.error('service-worker.js does not say where the names go');
      this.emitFile({ type: 'asset', fileName: 'service-worker.js', source });
    },
  };
}
