/** Lets `width` tasks run at once and `queue` more wait in the order in which they came. */
export class Turnstile {
  readonly #width: number;
  readonly #queue: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor({ width, queue }: { readonly width: number; readonly queue: number }) {
    this.#width = width;
    this.#queue = queue;
  }

  /** Undefined, and the task is not run, where the queue is full. */
  async run<T>(task: () => Promise<T>): Promise<T | undefined> {
    if (this.#running < this.#width) this.#running += 1;
    else if (this.#waiting.length >= this.#queue) return undefined;
    // Whoever leaves hands its place over, so that nobody slips in between.
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
