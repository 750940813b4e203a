/** What a reader of the rule reference is told about a rule beyond its title and Microsoft's pages. */
export interface Explanation {
  /** What happens on a real machine when the rule is broken; one to three sentences. */
  readonly why: string;
  /** When what looks like it is in order all the same; undefined when never. */
  readonly allowed?: string;
  /** What in a trace haltex judges by: calls, events, facts of the simulated NDIS and kernel. */
  readonly looksAt: string;
}

/** A part of the rule reference: rules that belong together for a reader. */
export interface Chapter {
  readonly title: string;
  /** One or two sentences above the chapter's list. */
  readonly about: string;
  /** By rule id. */
  readonly rules: Readonly<Record<string, Explanation>>;
}
