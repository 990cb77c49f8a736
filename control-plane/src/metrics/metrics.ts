// Prometheus text exposition (format 0.0.4) of a few metrics. Labels are constants of the code, never names from outside.

type Labels = Readonly<Record<string, string>>;

/** A value that only grows. Each combination of labels counts by itself. */
export class Counter {
  readonly name: string;
  readonly help: string;
  readonly #values = new Map<string, number>();

  /** `labels`: the combinations shown as 0 from the start, so that a first event is seen as a rise. */
  constructor(name: string, help: string, labels: readonly Labels[]) {
    this.name = name;
    this.help = help;
    for (const combination of labels) this.#values.set(render(combination), 0);
  }

  add(labels: Labels = {}, by: number = 1): void {
    const key = render(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + by);
  }

  expose(): string {
    const lines = [...this.#values].map(([labels, value]) => `${this.name}${labels} ${value}`);
    return [`# HELP ${this.name} ${this.help}`, `# TYPE ${this.name} counter`, ...lines].join("\n");
  }
}

/** A value asked for when somebody looks. */
export class Gauge {
  readonly name: string;
  readonly help: string;
  readonly #read: () => number;

  constructor(name: string, help: string, read: () => number) {
    this.name = name;
    this.help = help;
    this.#read = read;
  }

  expose(): string {
    return [`# HELP ${this.name} ${this.help}`, `# TYPE ${this.name} gauge`, `${this.name} ${this.#read()}`].join("\n");
  }
}

export function exposition(metrics: readonly (Counter | Gauge)[]): string {
  return metrics.map((metric) => `${metric.expose()}\n`).join("");
}

function render(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
