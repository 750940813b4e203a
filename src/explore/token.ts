/**
 * A scenario as a short string that replays it anywhere. `hx1.<driver>.<scenario>`: the driver's fingerprint, so that a token
 * is not played on another build, and the scenario's difference from the plain one as base64url JSON.
 */
import { z } from 'zod';
import type { DriverFile } from '../machine/driver-file.ts';
import { type Flow, flowText, plainScenario, type Scenario } from '../machine/scenario.ts';
import { HaltAction, type HaltActionName } from '../ndis/lifecycle.ts';

const VERSION = 'hx1';

/** A token that cannot be played. The message is one sentence for the user. */
export class TokenError extends Error {}

/** What tells one build of a driver from another: what debuggers on Windows go by, time stamp and size of image. */
export function fingerprint(driver: DriverFile): string {
  if (driver.kind === 'typescript') return 'ts';
  const { timestamp, sizeOfImage } = driver.image;
  return (timestamp >>> 0).toString(16).padStart(8, '0') + sizeOfImage.toString(16);
}

/** The token by which `haltex replay` plays this scenario on this driver: its build and what differs from the plain scenario. */
export function encodeToken(driver: DriverFile, scenario: Scenario): string {
  const different = Object.entries(scenario).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(plainScenario[key as keyof Scenario]),
  );
  const text = JSON.stringify(Object.fromEntries(different));
  return `${VERSION}.${fingerprint(driver)}.${toBase64Url(text)}`;
}

/** The scenario of a token. @throws TokenError for a damaged one, and for one of another driver, build or version: one sentence */
export function decodeToken(driver: DriverFile, token: string): Scenario {
  const [version, build, body] = token.split('.');
  if (version !== VERSION || build === undefined || body === undefined) {
    throw new TokenError(`«${token}» is not a replay token of this haltex (one begins with ${VERSION}.).`);
  }
  if (build !== fingerprint(driver)) {
    throw new TokenError(
      `the token was made for another build of the driver (${build}, this one is ${fingerprint(driver)}); check the driver again for a fresh token.`,
    );
  }
  try {
    return schema.parse({ ...plainScenario, ...object(JSON.parse(fromBase64Url(body))) });
  } catch {
    throw new TokenError('the token is damaged; copy it whole.');
  }
}

/** Only a plain object may stand in for parts of a scenario. */
const object = (value: unknown) => z.record(z.string(), z.unknown()).parse(value);

const call = { fn: z.string(), nth: z.int().positive() };
const schema = z.strictObject({
  flow: z.enum(Object.keys(flowText) as [Flow, ...Flow[]]),
  haltAction: z.enum(Object.keys(HaltAction) as [HaltActionName, ...HaltActionName[]]),
  faults: z.array(z.strictObject({ ...call, failure: z.string() })),
  disturbances: z.array(z.strictObject({ ...call, event: z.enum(['interrupt', 'late-dpc', 'bug-check']) })),
  returnReceives: z.enum(['at-once', 'later', 'late']),
  workers: z.enum(['at-once', 'late']),
  hardware: z.string(),
  settings: z.record(z.string(), z.union([z.uint32(), z.string(), z.array(z.int().min(0).max(255)), z.null()])),
  memory: z.enum(['plain', 'watched']),
  schedule: z.union([
    z.literal('plain'),
    z.array(z.strictObject({ at: z.int().min(0), run: z.string() })),
    z.strictObject({ seed: z.uint32(), changes: z.array(z.int().min(0)) }),
  ]),
}) satisfies z.ZodType<Scenario>;

function toBase64Url(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

function fromBase64Url(text: string): string {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
}
