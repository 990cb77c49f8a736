/** Counts by key, of which hostile input may have any number: keys beyond the limit count as one. */
export class Tally<T extends object> {
  readonly #limit: number;
  readonly #make: (key: string) => T;
  readonly #counts = new Map<string, T>();
  #others: T | undefined;

  constructor(make: (key: string) => T, limit = 10_000) {
    this.#make = make;
    this.#limit = limit;
  }

  at(key: string): T {
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    if (this.#counts.size >= this.#limit) {
      this.#others ??= this.#make("others");
      return this.#others;
    }
    const made = this.#make(key);
    this.#counts.set(key, made);
    return made;
  }

  values(): readonly T[] {
    return [...this.#counts.values(), ...(this.#others === undefined ? [] : [this.#others])];
  }
}
