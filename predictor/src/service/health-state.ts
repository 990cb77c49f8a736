/** Whether inference requests are taken, and who waits to hear of a change. */
export class HealthState {
  #serving = false;
  #draining = false;
  readonly #listeners = new Set<() => void>();

  /** Every model is loaded, a worker is ready, and the server does not drain. */
  get serving(): boolean {
    return this.#serving && !this.#draining;
  }

  get draining(): boolean {
    return this.#draining;
  }

  setServing(serving: boolean): void {
    this.#serving = serving;
    this.#tell();
  }

  /** For good. */
  drain(): void {
    this.#draining = true;
    this.#tell();
  }

  /** Resolves at the next call of setServing or drain, or when the signal aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#listeners.add(resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    this.#listeners.delete(resolve);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
