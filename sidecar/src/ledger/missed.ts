import type { RecordsMissing } from "@hedgerow/ledger";

interface Count {
  readonly requests: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What was answered without a record, by reason, until it is recorded. */
export class MissedRequests {
  readonly #counts = new Map<string, Count>();
  #total = 0;

  /** Ever. */
  get total(): number {
    return this.#total;
  }

  get any(): boolean {
    return this.#counts.size > 0;
  }

  add(reason: string, nowMs: number): void {
    this.#total += 1;
    this.#merge(reason, { requests: 1, fromMs: nowMs, toMs: nowMs });
  }

  /** What is to be recorded; `putBack` what could not be. */
  take(): readonly RecordsMissing[] {
    const taken = [...this.#counts].map(([reason, { requests, fromMs, toMs }]) => ({
      type: "records.missing" as const,
      requests,
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      reason,
    }));
    this.#counts.clear();
    return taken;
  }

  putBack({ reason, requests, from, to }: RecordsMissing): void {
    this.#merge(reason, { requests, fromMs: Date.parse(from), toMs: Date.parse(to) });
  }

  #merge(reason: string, more: Count): void {
    const count = this.#counts.get(reason) ?? more;
    const requests = count === more ? more.requests : count.requests + more.requests;
    const [fromMs, toMs] = [Math.min(count.fromMs, more.fromMs), Math.max(count.toMs, more.toMs)];
    this.#counts.set(reason, { requests, fromMs, toMs });
  }
}
