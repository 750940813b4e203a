/** The library's public face: what a miniport in TypeScript, a model of a NIC, and a tool around haltex are written with. */

export * from './authoring.ts';
// --- checking a driver ---
export { defineConfig, type HaltexConfig } from './cli/config.ts';
export { check, type LibraryCheckOptions, replay } from './cli/library.ts';
export { matchers } from './cli/matchers.ts';
