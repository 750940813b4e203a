/** The rule reference: every rule of the catalogue in one chapter, with what a reader wants to know of it. */
import type { Chapter, Explanation } from './chapter.ts';
import { dataPath, oids } from './data-path.ts';
import { endings } from './endings.ts';
import { halting } from './halting.ts';
import { initialize } from './initialize.ts';
import { irql } from './irql.ts';
import { leaksAtFailure, leaksAtHalt, leaksAtUnload } from './leaks.ts';
import { lives } from './lives.ts';
import { locks } from './locks.ts';
import { memory } from './memory.ts';
import { registration } from './registration.ts';
import { undo } from './undo.ts';

/** In the order a driver lives. */
export const chapters: readonly Chapter[] = [
  registration,
  initialize,
  leaksAtHalt,
  leaksAtFailure,
  leaksAtUnload,
  undo,
  memory,
  halting,
  locks,
  irql,
  dataPath,
  oids,
  lives,
  endings,
];

const byId: ReadonlyMap<string, Explanation> = new Map(chapters.flatMap(({ rules }) => Object.entries(rules)));

/** What the reference says of a rule; undefined for an id that is no rule's. */
export const explanationOf = (id: string): Explanation | undefined => byId.get(id);
