export interface Random {
  readonly below: (limit: number) => number;
  readonly pick: <T>(values: readonly T[]) => T;
  /** True `once` in so many times. */
  readonly oneIn: (times: number) => boolean;
}

/** Mulberry32: small, seeded, and the same everywhere. */
export function randomOf(seed: number): Random {
  let state = seed;
  const below = (limit: number) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
  return {
    below,
    pick: <T>(values: readonly T[]) => values[below(values.length)] as T,
    oneIn: (times) => below(times) === 0,
  };
}
