import type { Finding } from "./finding.ts";

interface Placed {
  readonly finding: Finding;
  /** Position in the ledger: the number that was due where it was found. */
  readonly at: number;
}

/** Findings of one ledger: as many as were asked for, the rest counted. */
export class FindingList {
  readonly #limit: number;
  #placed: Placed[] = [];
  #more = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#placed.length + this.#more;
  }

  get more(): number {
    return this.#more;
  }

  add(finding: Finding, at: number): void {
    if (this.#placed.length < this.#limit) this.#placed.push({ finding, at });
    else this.#more++;
  }

  /** Takes back the last, where it was of this kind. */
  takeLast(kind: Finding["kind"]): Finding | undefined {
    const { finding } = this.#placed.at(-1) ?? {};
    if (this.#more > 0 || finding?.kind !== kind) return undefined;
    this.#placed.pop();
    return finding;
  }

  /** In the ledger's order. */
  inOrder(): readonly Finding[] {
    return this.#placed.toSorted((a, b) => a.at - b.at).map(({ finding }) => finding);
  }
}
