import type { FileContent } from "./read.ts";
import type { Signature } from "./scan.ts";

/** A file that is gone has this signature. */
export const absent: Signature = { id: "absent", bytes: 0, changedAtMs: 0 };

export interface TrackedFile {
  seen: Signature;
  /** Monotonic ms since when `seen` has been what is seen. */
  sinceMs: number;
  /** Signature id of what is in `content`; undefined before anything is. */
  appliedId: string | undefined;
  content: FileContent | undefined;
}

/** Which files have come to rest. Times are passed in: monotonic, ms. */
export class Settling {
  readonly files = new Map<string, TrackedFile>();

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
    for (const [file, signature] of listed) {
      const tracked = this.files.get(file);
      if (tracked === undefined)
        this.files.set(file, {
          seen: signature,
          sinceMs: nowMs - restedMs(signature),
          appliedId: undefined,
          content: undefined,
        });
      else this.#see(tracked, signature, nowMs);
    }
    for (const [file, tracked] of this.files)
      if (!listed.has(file) && isListed(file)) this.#see(tracked, absent, nowMs);
  }

  /** A file that came from an earlier run: it may be gone by now. */
  expect(file: string, nowMs: number): void {
    if (!this.files.has(file))
      this.files.set(file, { seen: absent, sinceMs: nowMs, appliedId: undefined, content: undefined });
  }

  #see(tracked: TrackedFile, signature: Signature, nowMs: number): void {
    if (tracked.seen.id === signature.id) return;
    tracked.seen = signature;
    tracked.sinceMs = nowMs;
  }

  /** Files whose content is not the one that stands on disk, in the order of paths. */
  pending(): readonly (readonly [file: string, tracked: TrackedFile])[] {
    return [...this.files]
      .filter(([, { seen, appliedId }]) => seen.id !== appliedId)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}
