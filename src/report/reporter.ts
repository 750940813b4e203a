/** What a reporter is: results in, text out. Reporters read results only; whoever calls them writes the file. */
import type { CheckResult } from '../explore/result.ts';

export interface ReportContext {
  /** haltex's version. */
  readonly version: string;
  /** How the user named the driver: goes into the replay command. */
  readonly driverPath: string;
  /** Whether the output may hold colour. */
  readonly colour: boolean;
  /** The text of a source file that debug information names; undefined where it cannot be found. */
  readonly source?: (file: string) => string | undefined;
  /** The built viewer (`src/web/viewer`), for the report that is a page. */
  readonly viewer?: () => Viewer;
}

export interface Viewer {
  readonly script: string;
  readonly style: string;
}

export type Reporter = (result: CheckResult, context: ReportContext) => string;
