import type { FileContent } from "./read.ts";
import type { Signature } from "./scan.ts";

/** A file that is gone has this signature. */
export const absent: Signature = { id: "absent", bytes: 0, changedAtMs: 0 };

export interface TrackedFile {
  seen: Signature;
  /** For how long `seen` has been what is seen, ms. */
  restedMs: number;
  /** Signature id of what is in `content`; undefined before anything is. */
  appliedId: string | undefined;
  content: FileContent | undefined;
}

/** Which files have come to rest. Times are passed in: monotonic, ms. */
export class Settling {
  readonly files = new Map<string, TrackedFile>();
  readonly #maxStepMs: number;
  #observedAtMs = 0;

  /** `maxStepMs`: what counts at most between two looks. While a machine stalls, its writers stall too. */
  constructor(maxStepMs: number) {
    this.#maxStepMs = maxStepMs;
  }

  /**
   * Takes in what was seen. A file not seen any more is gone only where its directory could be listed (`isListed`).
   * `restedMs` says for how long a file that is seen for the first time has rested already.
   */
  observe(
    listed: ReadonlyMap<string, Signature>,
    isListed: (file: string) => boolean,
    nowMs: number,
    restedMs: (signature: Signature) => number,
  ): void {
    const stepMs = Math.min(nowMs - this.#observedAtMs, this.#maxStepMs);
    this.#observedAtMs = nowMs;
    for (const [file, signature] of listed) {
      const tracked = this.files.get(file);
      if (tracked !== undefined) see(tracked, signature, stepMs);
      else
        this.files.set(file, {
          seen: signature,
          restedMs: restedMs(signature),
          appliedId: undefined,
          content: undefined,
        });
    }
    for (const [file, tracked] of this.files) if (!listed.has(file) && isListed(file)) see(tracked, absent, stepMs);
  }

  /** A file that came from an earlier run: it may be gone by now. */
  expect(file: string): void {
    if (!this.files.has(file))
      this.files.set(file, { seen: absent, restedMs: 0, appliedId: undefined, content: undefined });
  }

  /** Files whose content is not the one that stands on disk, in the order of paths. */
  pending(): readonly (readonly [file: string, tracked: TrackedFile])[] {
    return [...this.files]
      .filter(([, { seen, appliedId }]) => seen.id !== appliedId)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function see(tracked: TrackedFile, signature: Signature, stepMs: number): void {
  tracked.restedMs = tracked.seen.id === signature.id ? tracked.restedMs + stepMs : 0;
  tracked.seen = signature;
}
