/** What the page and its engine say to each other. The engine is a worker; one plays one check after another. */
import type { ReportData } from '../../report/data.ts';

/** A file as dropped or chosen. */
export interface GivenFile {
  /** As given, folders and all: `nic.sys`, `driver/nic/halt.ts`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Which hardware the driver finds: what its INF says by default. */
export type DeviceName = 'default' | 'generic' | 'none' | (string & {});

export interface Check {
  readonly files: readonly GivenFile[];
  /** Path of the driver among them, where the files alone do not say. */
  readonly driver?: string;
  readonly device: DeviceName;
  /** Scenarios at most. */
  readonly budget: number;
}

export type ToEngine =
  | { readonly kind: 'check'; readonly check: Check }
  | { readonly kind: 'stop' }
  /** A report of the last check, as text. */
  | { readonly kind: 'export'; readonly reporter: string };

export interface Progress {
  readonly driver: string;
  readonly phase: string;
  /** Scenarios. */
  readonly played: number;
  readonly planned: number;
  readonly seconds: number;
  /** Phases before this one, in order. */
  readonly done: readonly string[];
  /** Rules found so far, in the order they were, with the first sentence and in how many scenarios. */
  readonly findings: readonly FoundSoFar[];
}

export interface FoundSoFar {
  readonly rule: string;
  readonly message: string;
  readonly count: number;
}

export type FromEngine =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly progress: Progress }
  /** `notices`: what the user should know of the files given, a sentence each. */
  | { readonly kind: 'result'; readonly data: ReportData; readonly notices: readonly string[] }
  /** What was given cannot be checked: one sentence. */
  | { readonly kind: 'refused'; readonly why: string }
  /** haltex is wrong. */
  | { readonly kind: 'fault'; readonly text: string }
  | { readonly kind: 'exported'; readonly reporter: string; readonly text: string }
  | { readonly kind: 'not-exported'; readonly reporter: string };
