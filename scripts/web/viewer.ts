/** The viewer of the HTML report among the web app's files: reports exported there carry it. */
import { build, type Plugin } from 'vite';

export function viewerOfReports(): Plugin {
  return {
    name: 'haltex:viewer',
    apply: 'build',
    async buildStart() {
      const built = await build({ configFile: 'vite.viewer.config.ts', logLevel: 'error', build: { write: false } });
      const outputs = Array.isArray(built) ? built : [built];
      for (const one of outputs) {
        if (!('output' in one)) continue;
        for (const file of one.output) {
          const source = file.type === 'chunk' ? file.code : file.source;
          this.emitFile({ type: 'asset', fileName: `report/${file.fileName}`, source });
        }
      }
    },
  };
}
