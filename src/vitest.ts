/** Adds haltex' matchers to Vitest: `import 'haltex/vitest'` in a test or a setup file. */
import { expect } from 'vitest';
import { matchers } from './cli/matchers.ts';

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: Vitest's own declaration, which this adds to
  interface Matchers<T = any> {
    /** The check found nothing and left nothing out. */
    toBeClean(): T;
  }
}

expect.extend(matchers);
