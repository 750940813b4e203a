/** A mistake in what the user gave: one clear sentence, exit code 2, no stack trace. */
export class InputError extends Error {}

/** `ownFault`: haltex itself is wrong (EX_SOFTWARE of sysexits.h); never mixed with what a driver or its user did. */
export const ExitCode = { clean: 0, findings: 1, usage: 2, inconclusive: 3, ownFault: 70 } as const;
