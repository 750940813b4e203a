/** How far a check is: a live line on a terminal; plain lines, and only for long checks, elsewhere. */
import type { Batch } from '../explore/explore.ts';
import type { Outcome } from '../explore/outcome.ts';
import { counts } from '../explore/result.ts';
import { colourWanted } from './outputs.ts';

/** Milliseconds between two live lines, and between two plain ones. */
const LIVE = 100;
const PLAIN = 10_000;

export class Progress {
  private readonly out: NodeJS.WriteStream;
  private readonly budget: number;
  private readonly live: boolean;
  private readonly started = performance.now();
  private shown = performance.now();
  private phase = '';
  private played = 0;
  private planned = 0;
  private findings = 0;
  private drawn = false;

  constructor(out: NodeJS.WriteStream, budget: number) {
    this.out = out;
    this.budget = budget;
    this.live = colourWanted(out);
  }

  begin({ phase, scenarios }: Batch): void {
    this.phase = phase;
    this.planned = this.played + scenarios.length;
  }

  outcome({ findings }: Outcome): void {
    this.played++;
    if (findings.some(counts)) this.findings++;
    const now = performance.now();
    if (now - this.shown < (this.live ? LIVE : PLAIN)) return;
    this.shown = now;
    if (this.live) {
      this.drawn = true;
      this.out.write(`\r\x1b[2K${this.line(now)}`);
    } else this.out.write(`${this.line(now)}\n`);
  }

  end(): void {
    if (this.drawn) this.out.write('\r\x1b[2K');
    this.drawn = false;
  }

  private line(now: number): string {
    const rate = this.played / Math.max(1e-3, (now - this.started) / 1000);
    const total = Math.min(this.planned, this.budget);
    const left = Math.max(0, (total - this.played) / rate);
    return `${this.phase}: ${this.played} of ${total} scenarios planned so far, ${Math.round(rate)} a second, ${this.findings} with findings, about ${Math.ceil(left)} s left`;
  }
}
