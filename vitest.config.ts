import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { alias: { haltex: new URL('./src/index.ts', import.meta.url).pathname } },
  test: { include: ['src/**/*.test.ts', 'test/**/*.test.ts'], testTimeout: 60_000, maxWorkers: 2 },
});
