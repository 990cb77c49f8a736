import { fileProblem, type ObjectKey, objectKey, objectRef, type Problem } from "@hedgerow/manifest";
import { type FileState, mergeLastGood } from "../last-good/merge.ts";
import { type LastGood, type SourceView, viewOf } from "../last-good/source-view.ts";
import type { Logger } from "../logger.ts";
import { looksUnfinished } from "./doubt.ts";
import { LastGoodFile } from "./last-good-file.ts";
import { readManifestFile } from "./read.ts";
import { type Listing, scan } from "./scan.ts";
import { absent, Settling, type TrackedFile } from "./settling.ts";
import { DirectoryWatches } from "./watches.ts";

/** However few events there are, the directory is looked at this often. */
const rescanMs = 2000;

export interface DirectorySourceOptions {
  readonly directory: string;
  /** Where the last good objects are kept over restarts; its directory must exist. */
  readonly lastGoodFile: string;
  /** For how long a file must rest before it is read, ms. At least 10 (two ticks of a file's clock); default 25. */
  readonly debounceMs?: number;
  readonly logger: Logger;
  /** Called for every change after `openDirectorySource` has resolved; not for the first view. */
  readonly onChange: (view: SourceView) => void;
}

export interface DirectorySource extends AsyncDisposable {
  view(): SourceView;
}

/**
 * Reads a directory of manifests, and follows it. Resolves with the first view, at the latest after 40 × `debounceMs`
 * where files do not come to rest. Never fails: a directory that cannot be read is a problem in the view.
 *
 * A change is taken over once it has rested for `debounceMs`; one that looks unfinished (see `looksUnfinished`) or takes
 * a file away, once it has rested for 20 × `debounceMs`. Changes of several files are taken over together where they
 * come to rest together, and wait at most 10 × `debounceMs` for a file that does not.
 */
export async function openDirectorySource(options: DirectorySourceOptions): Promise<DirectorySource> {
  const lastGoodFile = new LastGoodFile(options.lastGoodFile, options.logger);
  const follower = new DirectoryFollower(options, lastGoodFile, await lastGoodFile.read());
  await follower.start();
  return follower;
}

class DirectoryFollower implements DirectorySource {
  readonly #options: DirectorySourceOptions;
  readonly #lastGoodFile: LastGoodFile;
  readonly #restMs: number;
  readonly #settling: Settling;
  readonly #watches: DirectoryWatches;
  #view: SourceView;
  #placeProblems: readonly Problem[] = [];
  /** The directory in which manifests were seen: an empty one in its place was not emptied, but put there. */
  #knownRoot: string | undefined;
  #waitingSinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #started = false;
  #closed = false;

  constructor(options: DirectorySourceOptions, lastGoodFile: LastGoodFile, lastGood: LastGood) {
    this.#options = options;
    this.#lastGoodFile = lastGoodFile;
    this.#restMs = Math.max(10, options.debounceMs ?? 25);
    this.#settling = new Settling(4 * this.#restMs);
    this.#watches = new DirectoryWatches(options.logger, () => this.#wake(0));
    this.#view = viewOf(lastGood);
    for (const { file } of lastGood.objects) this.#settling.expect(file);
  }

  view(): SourceView {
    return this.#view;
  }

  async start(): Promise<void> {
    const deadline = performance.now() + 40 * this.#restMs;
    for (;;) {
      await this.#look();
      const waiting = this.#settling.pending().some(([, { seen }]) => seen !== absent);
      if (!waiting || performance.now() >= deadline) break;
      await new Promise((resolve) => setTimeout(resolve, this.#restMs));
    }
    this.#started = true;
    this.#wake(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watches[Symbol.dispose]();
    await this.#looking;
    await this.#lastGoodFile[Symbol.asyncDispose]();
  }

  /** Looks at the directory after a while; sooner when it was to be later. */
  #wake(afterMs: number): void {
    if (this.#closed || !this.#started) return;
    if (this.#looking !== undefined) {
      this.#lookAgain = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#looking = this.#look()
        .then((nextMs) => {
          this.#looking = undefined;
          // A storm of events makes no storm of looks: a quarter of the rest sees as much.
          this.#wake(this.#lookAgain ? this.#restMs / 4 : nextMs);
          this.#lookAgain = false;
        })
        .catch((error: unknown) => {
          this.#looking = undefined;
          this.#options.logger.error({ err: error }, "Cannot follow the manifests");
          this.#wake(rescanMs);
        });
    }, afterMs);
  }

  /** Takes in what has come to rest. Returns after how many ms to look again. */
  async #look(): Promise<number> {
    const listing = await scan(this.#options.directory);
    const isNew = this.#watches.sync(listing.directories);
    const nowMs = performance.now();
    const placeProblems = this.#problemsOf(listing);
    this.#settling.observe(
      listing.files,
      (file) => !placeProblems.some(covers(file)),
      nowMs,
      // Only what is there at the start may have rested for as long as its own clock says.
      ({ changedAtMs }) => (this.#started ? 0 : Math.max(0, Date.now() - changedAtMs)),
    );
    const changed = await this.#takeRested(nowMs);
    const placesChanged = JSON.stringify(placeProblems) !== JSON.stringify(this.#placeProblems);
    this.#placeProblems = placeProblems;
    if (changed || placesChanged || !this.#started) this.#publish();
    if (isNew) return 0;
    const waits = this.#settling
      .pending()
      .map(([, { restedMs }]) =>
        restedMs < this.#restMs ? this.#restMs - restedMs : Math.min(4 * this.#restMs, 20 * this.#restMs - restedMs),
      );
    // What has rested and still waits, waits for another file.
    return Math.min(rescanMs, ...waits.map((ms) => Math.max(ms, this.#restMs / 4)));
  }

  #problemsOf({ files, directories, problems }: Listing): readonly Problem[] {
    const root = [...directories.values()][0];
    if (files.size > 0) this.#knownRoot = root;
    if (files.size > 0 || problems.length > 0 || root === this.#knownRoot || this.#view.objects.length === 0)
      return problems;
    const message = "directory holds no manifest; the last good ones stand until one is written";
    return [fileProblem(".", "unreadable", message)];
  }

  /** Reads what has rested for long enough. True: something else stands now. */
  async #takeRested(nowMs: number): Promise<boolean> {
    const pending = this.#settling.pending();
    this.#waitingSinceMs = pending.length === 0 ? undefined : (this.#waitingSinceMs ?? nowMs);
    const moving = pending.some(([, { restedMs }]) => restedMs < this.#restMs);
    const waitedMs = nowMs - (this.#waitingSinceMs ?? nowMs);
    if (moving && waitedMs < 10 * this.#restMs) return false;
    const formerKeys = Map.groupBy(this.#view.objects, ({ file }) => file);
    let changed = false;
    for (const [file, tracked] of pending) {
      const { restedMs } = tracked;
      if (restedMs < this.#restMs) continue;
      const keys = new Set(formerKeys.get(file)?.map(({ manifest }) => objectKey(objectRef(manifest))));
      changed = (await this.#take(file, tracked, keys, restedMs >= 20 * this.#restMs)) || changed;
    }
    return changed;
  }

  async #take(
    file: string,
    tracked: TrackedFile,
    formerKeys: ReadonlySet<ObjectKey>,
    isCertain: boolean,
  ): Promise<boolean> {
    const { seen } = tracked;
    if (seen === absent) {
      if (!isCertain) return false;
      this.#settling.files.delete(file);
      return true;
    }
    const content = await readManifestFile(this.#options.directory, file, seen);
    if (content === undefined || (!isCertain && looksUnfinished(content, tracked.content, formerKeys))) return false;
    const isSame = tracked.content?.text === content.text && tracked.content.text !== "";
    tracked.appliedId = seen.id;
    tracked.content = content;
    return !isSame;
  }

  #publish(): void {
    // Of what stands where nothing can be seen, the last good versions stand, and are said to.
    const files: FileState[] = [...this.#settling.files]
      .filter(([file]) => !this.#placeProblems.some(covers(file)))
      .flatMap(([, { content }]) => (content ? [content.state] : []));
    files.sort((a, b) => (a.file < b.file ? -1 : 1));
    for (const problem of this.#placeProblems)
      files.push({ file: problem.position.file, documents: [], problems: [problem] });
    const unsettled = new Set(this.#settling.pending().map(([file]) => file));
    this.#view = mergeLastGood(this.#view, { files, unsettled });
    this.#lastGoodFile.write(this.#view);
    if (this.#started) this.#options.onChange(this.#view);
  }
}

/** Whether the problem of a directory is one of everything in it, a certain file included. */
function covers(file: string): (problem: Problem) => boolean {
  return ({ position }) => position.file === "." || file.startsWith(`${position.file}/`);
}
