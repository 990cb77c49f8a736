/** What a setting may look like: `read` answers undefined for a text that it is not. */
export interface Form<Value> {
  /** Ends the problem's line, as in `expected host:port with a port in 1–65535`. */
  readonly expected: string;
  readonly read: (text: string) => Value | undefined;
}

/** Reads settings one by one and collects what is wrong with them. An empty variable is an absent one, as shells mean it. */
export class Settings {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #problems: string[] = [];

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** Each names its variable, and value and range where there is a value. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  has(name: string): boolean {
    return this.text(name) !== undefined;
  }

  text(name: string): string | undefined {
    return this.#env[name] === "" ? undefined : this.#env[name];
  }

  /** Undefined, and a problem, where it is absent or wrong. */
  required<Value>(name: string, form: Form<Value>): Value | undefined {
    if (this.has(name)) return this.optional(name, form, undefined);
    this.problem(`${name} is not set`);
    return undefined;
  }

  /** The default where it is absent or wrong; the latter is a problem. */
  optional<Value, Default>(name: string, { expected, read }: Form<Value>, absent: Default): Value | Default {
    const text = this.text(name);
    if (text === undefined) return absent;
    const value = read(text);
    if (value === undefined) this.problem(`${name}=${JSON.stringify(text)}: ${expected}`);
    return value ?? absent;
  }

  problem(words: string): void {
    this.#problems.push(words);
  }
}

/** The text itself, where it matches. */
export function matching(pattern: RegExp, expected: string): Form<string> {
  return { expected, read: (text) => (pattern.test(text) ? text : undefined) };
}

export function oneOf<const Word extends string>(words: readonly Word[]): Form<Word> {
  return {
    expected: `expected ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`,
    read: (text) => words.find((word) => word === text),
  };
}

export function wholeNumber(least: number, most: number): Form<number> {
  return {
    expected: `expected a whole number in ${least}–${most}`,
    read: (text) =>
      /^\d{1,15}$/.test(text) && Number(text) >= least && Number(text) <= most ? Number(text) : undefined,
  };
}

export interface Address {
  /** host:port as it was written. */
  readonly text: string;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** host:port, with a port of at least `least`. */
export function address(least: number): Form<Address> {
  return {
    expected: `expected host:port with a port in ${least}–65535`,
    read: (text) => {
      const match = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^\s:[\]]+)):(?<port>\d{1,5})$/.exec(text);
      const port = Number(match?.groups?.["port"]);
      if (!match || !(port >= least && port <= 65_535)) return undefined;
      return { text, host: match.groups?.["v6"] ?? match.groups?.["host"] ?? "", port };
    },
  };
}
