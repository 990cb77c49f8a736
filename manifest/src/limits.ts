/** Bounds of what one manifest file may cost to read. All inclusive. */
export interface ParseLimits {
  /** UTF-8 bytes of a file. Default 1 MiB, the size of a ConfigMap. */
  readonly bytes: number;
  /** Documents in a file. Default 1000. */
  readonly documents: number;
  /** Mappings and sequences within one another, through aliases too. Default 64. */
  readonly depth: number;
  /** Mappings, sequences and scalars of one document after its aliases are expanded. Default 100 000. */
  readonly values: number;
  /** Problems reported of one document; one more says how many were left out. Default 100. */
  readonly problems: number;
}

export const defaultParseLimits: ParseLimits = {
  bytes: 1_048_576,
  documents: 1000,
  depth: 64,
  values: 100_000,
  problems: 100,
};
