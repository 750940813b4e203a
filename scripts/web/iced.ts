/**
 * iced-x86 is published for Node: a CommonJS module that reads its WebAssembly from the file beside it. For browsers the same file
 * becomes a module that fetches it. Nothing in it is changed but how it begins and ends.
 */
import type { Plugin } from 'vite';

const FILE = /[\\/]iced-x86[\\/]iced_x86\.js$/;
const NODE_TEXT = 'const { TextDecoder, TextEncoder } = require(`util`);';
const NODE_LOAD = /const path = require\('path'\)[\s\S]*$/;
const MODULE_LOAD = `
const wasmModule = await WebAssembly.compile(await (await fetch(icedWasm)).arrayBuffer());
const wasmInstance = await WebAssembly.instantiate(wasmModule, imports);
wasm = wasmInstance.exports;
`;

export function icedForBrowsers(): Plugin {
  return {
    name: 'haltex:iced-x86',
    transform(code, id) {
      if (!FILE.test(id)) return undefined;
      if (!code.includes(NODE_TEXT) || !NODE_LOAD.test(code)) {
        this.error('this version of iced-x86 is not laid out as scripts/web/iced.ts expects');
      }
      const names = [...new Set([...code.matchAll(/^module\.exports\.(\w+) = /gm)].map(([, name]) => name as string))];
      const exported = names.filter((name) => !name.startsWith('__'));
      const body = code.replace(NODE_TEXT, '').replace(NODE_LOAD, MODULE_LOAD);
      return {
        code: [
          `import icedWasm from './iced_x86_bg.wasm?url';`,
          'const module = { exports: {} };',
          body,
          ...exported.map((name) => `const exported_${name} = module.exports.${name};`),
          `export { ${exported.map((name) => `exported_${name} as ${name}`).join(', ')} };`,
        ].join('\n'),
        map: null,
      };
    },
  };
}
