/** One row of the table that a person reads: column title, with its unit, → cell. All rows have the same columns. */
export type Row = Readonly<Record<string, string | number>>;

export interface BenchResult {
  readonly rows: readonly Row[];
  /** The same figures for a machine: names carry their units, and stay as they are from release to release. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface BenchOptions {
  /** Fewer repetitions: enough to show that the benchmark works, too few to compare its figures. */
  readonly quick: boolean;
  /** Tells a person how far it is. */
  readonly log: (line: string) => void;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** A benchmark: one file in this folder, listed in benches.ts. */
export interface Bench {
  /** What `npm run bench -- NAME` takes. */
  readonly name: string;
  /** One line: what is measured. */
  readonly description: string;
  /** Leaves nothing behind, also where it throws. */
  readonly run: (options: BenchOptions) => Promise<BenchResult>;
}
