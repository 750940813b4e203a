/** What the user gave cannot be checked: one sentence. */
export class Refusal extends Error {}
