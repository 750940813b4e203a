/** Builds the web app into `dist/web/`: files that any web server can serve from any folder, and that keep working offline. */
import { readFileSync } from 'node:fs';
import { defineConfig } from 'vite';
import { icedForBrowsers } from './scripts/web/iced.ts';
import { offline } from './scripts/web/offline.ts';
import { bundledSamples } from './scripts/web/samples.ts';
import { viewerOfReports } from './scripts/web/viewer.ts';

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as { version: string };
const define = { 'process.env.NODE_ENV': '"production"', HALTEX_VERSION: JSON.stringify(version) };

export default defineConfig({
  root: 'src/web/app',
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact', development: false } },
  define,
  plugins: [bundledSamples(), viewerOfReports(), offline()],
  worker: { format: 'es', plugins: () => [icedForBrowsers()] },
  build: {
    outDir: '../../../dist/web',
    emptyOutDir: true,
    target: 'es2023',
    modulePreload: false,
    // The page's policy allows no inline data, and the service worker wants files.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
});
