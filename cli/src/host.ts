/** Where a command writes: standard output or standard error. */
export interface Screen {
  write(text: string): void;
  /** Awaits that what was written is taken; resolves with false once nobody reads any more. */
  taken(): Promise<boolean>;
  /** Width of the terminal in cells; undefined when the stream is none. */
  readonly columns: number | undefined;
}

/** What a command sees of its process. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Screen;
  readonly stderr: Screen;
  /** All of standard input, as UTF-8. */
  readStdin(): Promise<string>;
  /** Unix ms. */
  now(): number;
}
