type Task = (done: () => void) => void;

/**
 * Lets a bounded number of tasks run at a time, first come first served. A task that is not done in `holdMs` gives its
 * place away, so that stuck proxies cannot stop the others. The queue is as long as its users: one task a stream.
 */
export class Pacer {
  readonly #limit: number;
  readonly #holdMs: number;
  readonly #queue: Task[] = [];
  #running = 0;

  constructor(limit: number, holdMs: number) {
    this.#limit = limit;
    this.#holdMs = holdMs;
  }

  run(task: Task): void {
    if (this.#running >= this.#limit) this.#queue.push(task);
    else this.#start(task);
  }

  #start(task: Task): void {
    this.#running += 1;
    let over = false;
    const done = () => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      this.#running -= 1;
      const next = this.#queue.shift();
      if (next !== undefined) this.#start(next);
    };
    const timer = setTimeout(done, this.#holdMs);
    timer.unref();
    task(done);
  }
}
