// What did not change is the very same object in the next model, so that whoever works from it has nothing to do.

/** Whether two lists hold the very same values in the same order. */
export function sameElements(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  // Lists of thousands are compared at every build: no callback.
  for (let index = 0; index < a.length; index++) if (!Object.is(a[index], b[index])) return false;
  return true;
}

/** Whether two maps hold the very same values under the same keys, in the same order. */
export function sameEntries<K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  const others = b.entries();
  for (const [key, value] of a) {
    const other = others.next().value;
    if (other === undefined || !Object.is(other[0], key) || !Object.is(other[1], value)) return false;
  }
  return true;
}

/** Whether two sets have the same members. */
export function sameMembers<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return a === b || (a.size === b.size && a.isSubsetOf(b));
}

/** A value that is computed again only when one of its inputs is another one than the last time. */
export class Computed<I extends readonly unknown[], T> {
  readonly #compute: (...inputs: I) => T;
  #last: { readonly inputs: I; readonly value: T } | undefined;

  constructor(compute: (...inputs: I) => T) {
    this.#compute = compute;
  }

  of(...inputs: I): T {
    if (this.#last === undefined || !sameElements(this.#last.inputs, inputs))
      this.#last = { inputs, value: this.#compute(...inputs) };
    return this.#last.value;
  }
}

/**
 * Values by key, each computed again only when one of its inputs is another one than the last time. What is not asked for
 * between two calls of `forgetUnused` is forgotten.
 */
export class ComputedByKey<K, T> {
  #known = new Map<K, { readonly inputs: readonly unknown[]; readonly value: T }>();
  #used = new Map<K, { readonly inputs: readonly unknown[]; readonly value: T }>();

  /** `compute` is given the value before, where there is one. */
  of(key: K, inputs: readonly unknown[], compute: (before: T | undefined) => T): T {
    const known = this.#used.get(key) ?? this.#known.get(key);
    const entry =
      known !== undefined && sameElements(known.inputs, inputs) ? known : { inputs, value: compute(known?.value) };
    this.#used.set(key, entry);
    return entry.value;
  }

  forgetUnused(): void {
    this.#known = this.#used;
    this.#used = new Map();
  }
}
