/** What a caller in a pod says of its requests since it began, or since it was last asked to begin anew. */
export interface LoadReport {
  readonly answered: number;
  readonly failed: number;
  readonly lastFailures: readonly string[];
  /** Model version → answers. */
  readonly versions: Readonly<Record<string, number>>;
}
