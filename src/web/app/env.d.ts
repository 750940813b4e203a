/** What the build puts in (`vite.web.config.ts`). */
declare const HALTEX_VERSION: string;
declare module 'virtual:samples' {
  export const samples: readonly import('./sample.ts').Sample[];
}
declare module '*?worker&url' {
  const url: string;
  export default url;
}
