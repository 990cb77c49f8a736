/** What a person compares of many measurements; the unit is that of the measurements. */
export interface Summary {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
  readonly mean: number;
}

/**
 * The `q` quantile, 0 to 1, of ascending values, interpolated between the two nearest (R's type 7, as in NumPy and
 * spreadsheets). NaN without values.
 */
function quantile(ascending: readonly number[], q: number): number {
  const position = (ascending.length - 1) * q;
  const below = ascending[Math.floor(position)] ?? Number.NaN;
  const above = ascending[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** All NaN, and `count` 0, without values. */
export function summarize(values: readonly number[]): Summary {
  const ascending = values.toSorted((a, b) => a - b);
  const at = (q: number) => quantile(ascending, q);
  return {
    count: values.length,
    min: at(0),
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
  };
}
