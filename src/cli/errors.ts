/** A mistake in what the user gave: one clear sentence, exit code 2, no stack trace. */
export class InputError extends Error {}

export const ExitCode = { clean: 0, findings: 1, usage: 2, inconclusive: 3 } as const;
