import { isOlder } from "./resource-version.ts";
import type { RawObject } from "./watch-event.ts";

export type ObjectEvent<T> =
  | { readonly kind: "put"; readonly key: string; readonly value: T }
  | { readonly kind: "remove"; readonly key: string };

interface Known {
  readonly resourceVersion: string;
  /** Whether the projection keeps anything of it. */
  readonly kept: boolean;
}

/**
 * Which objects of a resource are known, and at which version. Keeps no object: each is projected once, when it comes, and what
 * of it matters is told. A list replaces all that is known; a watch only ever goes forward.
 */
export class ObjectLedger<T> {
  readonly #project: (object: RawObject) => T | undefined;
  readonly #tell: (event: ObjectEvent<T>) => void;
  readonly #known = new Map<string, Known>();
  #listed = new Set<string>();

  /** `project`: undefined for an object that means nothing here, as if it did not exist. Must not throw. */
  constructor(project: (object: RawObject) => T | undefined, tell: (event: ObjectEvent<T>) => void) {
    this.#project = project;
    this.#tell = tell;
  }

  /** A list begins, or begins anew. */
  startList(): void {
    this.#listed = new Set();
  }

  /** Objects of a list. Older than what is known is possible: etcd may have been restored from a backup. */
  listed(objects: readonly RawObject[]): void {
    for (const object of objects) {
      this.#listed.add(object.key);
      if (this.#known.get(object.key)?.resourceVersion !== object.resourceVersion) this.#take(object);
    }
  }

  /** The list is complete: what it did not have is gone. */
  endList(): void {
    for (const key of this.#known.keys()) if (!this.#listed.has(key)) this.#forget(key);
    this.#listed = new Set();
  }

  /** A watch says that the object is there, like this. */
  put(object: RawObject): void {
    const known = this.#known.get(object.key)?.resourceVersion;
    if (known !== undefined && (known === object.resourceVersion || isOlder(object.resourceVersion, known))) return;
    this.#take(object);
  }

  /** A watch says that the object is gone. */
  delete({ key, resourceVersion }: RawObject): void {
    const known = this.#known.get(key);
    if (known !== undefined && !isOlder(resourceVersion, known.resourceVersion)) this.#forget(key);
  }

  #take(object: RawObject): void {
    const { key, resourceVersion } = object;
    const before = this.#known.get(key)?.kept ?? false;
    const value = this.#project(object);
    this.#known.set(key, { resourceVersion, kept: value !== undefined });
    if (value !== undefined) this.#tell({ kind: "put", key, value });
    else if (before) this.#tell({ kind: "remove", key });
  }

  #forget(key: string): void {
    const known = this.#known.get(key);
    this.#known.delete(key);
    if (known?.kept === true) this.#tell({ kind: "remove", key });
  }
}
