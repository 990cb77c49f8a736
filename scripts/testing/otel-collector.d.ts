export interface TestCollector extends AsyncDisposable {
  /** http://HOST:PORT */
  readonly endpoint: string;
  /** What it took so far, as it prints it. */
  taken(): string;
}

/** Takes logs as OTLP over HTTP. Rejects where it was not built. */
export function startCollector(): Promise<TestCollector>;
