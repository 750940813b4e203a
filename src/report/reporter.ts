/** What a reporter is: results in, text out. Reporters read results only; whoever calls them writes the file. */
import type { CheckResult } from '../explore/result.ts';

export interface ReportContext {
  /** haltex's version. */
  readonly version: string;
  /** How the user named the driver: goes into the replay command. */
  readonly driverPath: string;
  /** Whether the output may hold colour. */
  readonly colour: boolean;
}

export type Reporter = (result: CheckResult, context: ReportContext) => string;
