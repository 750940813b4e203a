/** Every kind that a TypeScript case holds. */
import type { Kind } from './holder.ts';
import { kernelKinds } from './kernel-kinds.ts';
import { ndisKinds } from './ndis-kinds.ts';

export const kinds: readonly Kind[] = [...ndisKinds, ...kernelKinds];
