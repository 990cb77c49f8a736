import { describeStatus, type ObjectStatusInit, type StatusInput } from "./status/describe-status.ts";

/** Conditions change at most this long before their time says so. */
const LOOK_MS = 1_000;
/** Looking takes at most one part in this many of our time. */
const SHARE = 20;

/** Looks at the status whenever it may have changed, so that conditions carry the time at which they changed. */
export class StatusWatch implements Disposable {
  readonly #input: () => Omit<StatusInput, "previous">;
  readonly #listeners = new Set<(statuses: readonly ObjectStatusInit[]) => void>();
  #statuses: readonly ObjectStatusInit[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lookMs = 0;

  constructor(input: () => Omit<StatusInput, "previous">) {
    this.#input = input;
  }

  /** Something changed. */
  schedule(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.read();
      },
      Math.max(LOOK_MS, this.#lookMs * SHARE),
    ).unref();
  }

  /** Told of every look. */
  onRead(listener: (statuses: readonly ObjectStatusInit[]) => void): void {
    this.#listeners.add(listener);
  }

  /** As it is now. */
  read(): readonly ObjectStatusInit[] {
    const startMs = performance.now();
    this.#statuses = describeStatus({ ...this.#input(), previous: this.#statuses });
    this.#lookMs = performance.now() - startMs;
    for (const listener of this.#listeners) listener(this.#statuses);
    return this.#statuses;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
