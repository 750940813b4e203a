/** Builds the viewer that the HTML report carries: one script and one style sheet in `dist/report/`. */
import { defineConfig } from 'vite';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact', development: false } },
  define: { 'process.env.NODE_ENV': '"production"' },
  build: {
    outDir: 'dist/report',
    emptyOutDir: false,
    copyPublicDir: false,
    cssMinify: true,
    lib: {
      entry: 'src/web/viewer/page.tsx',
      formats: ['iife'],
      name: 'haltexViewer',
      fileName: () => 'viewer.js',
      cssFileName: 'viewer',
    },
  },
});
