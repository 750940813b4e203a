/** How a run ends early. Stops are thrown through the driver's and the kernel's coroutines up to the machine. */
import type { Stack } from '../trace/events.ts';

abstract class Stop extends Error {
  /** Where the driver was, innermost frame first. */
  readonly frames: Stack;
  constructor(text: string, frames: Stack = []) {
    super(text);
    this.frames = frames;
  }
}

/** Windows would have bugchecked here: the driver is wrong. The event before it in the trace says how. */
export class BugCheck extends Stop {
  readonly code: number;
  constructor(code: number, text: string, frames: Stack = []) {
    super(text, frames);
    this.code = code;
  }
}

/** haltex lacks something this run needs. Never reported as a pass. */
export class Unsupported extends Stop {
  /** The function, instruction or structure, as a user would search for it. */
  readonly what: string;
  constructor(what: string, text: string, frames: Stack = []) {
    super(text, frames);
    this.what = what;
  }
}

/** Nothing can run, or a callback used up its budget of virtual time or instructions. */
export class Hang extends Stop {}

/** The machine is down because the scenario has it so: nothing runs any more, and nothing is wrong. */
export class SystemDown extends Stop {}

/** haltex itself is wrong. `id` names the place so that a user's report finds it. */
export class InternalError extends Error {
  readonly id: string;
  constructor(id: string, text: string) {
    super(`${id}: ${text}`);
    this.id = id;
  }
}
