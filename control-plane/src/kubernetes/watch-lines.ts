import { KubernetesError } from "./errors.ts";

const lineFeed = 0x0a;

/** Cuts a stream of bytes into lines, of at most `maxBytes` each; half a line is kept until its end comes. */
export class LineCutter {
  readonly #maxBytes: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that end in these bytes, without what ends them. Throws KubernetesError BadAnswer: a line is too long. */
  *push(chunk: Uint8Array): Generator<string> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(lineFeed, start);
      if (end === -1) break;
      this.#keep(chunk.subarray(start, end));
      const line = this.#take();
      if (line !== "") yield line;
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  #keep(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes)
      throw new KubernetesError(0, "BadAnswer", `a line of the watch has more than ${this.#maxBytes} bytes`);
    this.#parts.push(part);
  }

  #take(): string {
    const [only, ...more] = this.#parts;
    const line = only === undefined ? "" : decode(more.length === 0 ? only : concat(this.#parts, this.#bytes));
    this.#parts = [];
    this.#bytes = 0;
    return line;
  }
}

const decoder = new TextDecoder();

function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function concat(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
