import { describeStatus, type ObjectStatusInit, type StatusInput } from "./status/describe-status.ts";

/** Conditions change at most this long before their time says so. */
const LOOK_MS = 1_000;

/** Looks at the status whenever it may have changed, so that conditions carry the time at which they changed. */
export class StatusWatch implements Disposable {
  readonly #input: () => Omit<StatusInput, "previous">;
  #statuses: readonly ObjectStatusInit[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(input: () => Omit<StatusInput, "previous">) {
    this.#input = input;
  }

  /** Something changed. */
  schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.read();
    }, LOOK_MS).unref();
  }

  /** As it is now. */
  read(): readonly ObjectStatusInit[] {
    this.#statuses = describeStatus({ ...this.#input(), previous: this.#statuses });
    return this.#statuses;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
