/** A bundled sample, as the build lists it. */
export interface Sample {
  /** Path of the driver in this repository, and in the package. */
  readonly driver: string;
  readonly language: 'C' | 'TypeScript';
  /** The rule it breaks; undefined for one that keeps the contract. */
  readonly breaks?: string;
  /** Files beside it that belong to it. */
  readonly files: readonly string[];
}
