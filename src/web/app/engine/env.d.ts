/** What the build puts in (`vite.web.config.ts`). */
declare const HALTEX_VERSION: string;
