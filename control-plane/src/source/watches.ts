import { type FSWatcher, watch } from "node:fs";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";

/**
 * One fs.watch a directory: Node's own recursive watch on Linux is built of the same, and loses what appears while it
 * is being set up. A watch only says "look again"; whoever uses it must look from time to time anyway, since watches
 * are lost with their directory, are limited in number, and see nothing on some network file systems.
 */
export class DirectoryWatches implements Disposable {
  readonly #watches = new Map<string, { readonly identity: string; readonly watcher: FSWatcher }>();
  readonly #logger: Logger;
  readonly #onEvent: () => void;
  #warned = false;

  constructor(logger: Logger, onEvent: () => void) {
    this.#logger = logger;
    this.#onEvent = onEvent;
  }

  /** Watches exactly these directories (absolute path → identity). True: something new is watched, so look again. */
  sync(directories: ReadonlyMap<string, string>): boolean {
    for (const [path, { identity }] of this.#watches) if (directories.get(path) !== identity) this.#drop(path);
    let added = false;
    for (const [path, identity] of directories) {
      if (this.#watches.has(path)) continue;
      try {
        const watcher = watch(path, { persistent: false }, (_type, name) => {
          // Editors' own files come and go; a ConfigMap changes by the renaming of `..data`.
          if (name === null || !name.startsWith(".") || name === "..data") this.#onEvent();
        });
        watcher.on("error", () => {
          this.#drop(path);
          this.#onEvent();
        });
        this.#watches.set(path, { identity, watcher });
        added = true;
      } catch (error) {
        if (!this.#warned)
          this.#logger.warn(
            { directory: path, error: messageOf(error) },
            "Cannot watch a directory, edits are seen late",
          );
        this.#warned = true;
      }
    }
    return added;
  }

  #drop(path: string): void {
    this.#watches.get(path)?.watcher.close();
    this.#watches.delete(path);
  }

  [Symbol.dispose](): void {
    for (const path of this.#watches.keys()) this.#drop(path);
  }
}
