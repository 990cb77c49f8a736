// The manifests of a view, from the news of the API server.
import {
  type ObjectKey,
  objectKey,
  objectRef,
  type ParsedDocument,
  type Service,
  type SourceObject,
} from "@hedgerow/manifest";
import type { ServiceRecord } from "../../cluster/read-service.ts";
import { type FileState, mergeLastGood } from "../../last-good/merge.ts";
import { sameContent } from "../../last-good/same-content.ts";
import { type LastGood, type SourceView, viewOf } from "../../last-good/source-view.ts";

/** An object of a kind that we check, as the API server has it. */
export interface ManifestRecord {
  readonly document: ParsedDocument;
  /** metadata.generation. */
  readonly generation: number;
}

export type ManifestView = Omit<SourceView, "cluster">;

/**
 * Gathers what the API server says; `view` makes the next view of it, in which what did not change is what it was. An object that is
 * not valid keeps its last good version, as one in a file does: each object is a file with one document.
 */
export class ManifestPart {
  /** By file: KIND/NAMESPACE/NAME. */
  readonly #files = new Map<string, { readonly state: FileState; readonly generation: number }>();
  readonly #services = new Map<ObjectKey, { readonly object: SourceObject<Service>; readonly generation: number }>();
  /** Of each version that is or was in force, and may be again. */
  readonly #generations = new WeakMap<SourceObject, number>();
  /** Without Services: what a later run may need. */
  #merged: SourceView;
  #view: ManifestView;
  #filesChanged = true;
  #servicesChanged = true;

  constructor(lastGood: LastGood) {
    this.#merged = viewOf(lastGood);
    this.#view = this.#merged;
    for (const object of lastGood.objects) this.#generations.set(object, lastGood.generations.get(keyOf(object)) ?? 1);
  }

  /** The objects that a later run may need, Services left out. */
  get lastGood(): LastGood {
    const { objects } = this.#merged;
    return { objects, generations: new Map(objects.map((object) => [keyOf(object), this.#generationOf(object)])) };
  }

  /** True: the next view is another one. */
  put(file: string, { document, generation }: ManifestRecord): boolean {
    const before = this.#files.get(file);
    const known = before?.state.documents[0];
    if (before !== undefined && known !== undefined && sameDocument(known, document)) {
      if (before.generation === generation) return false;
      // Another generation of the same content: what is in force stays the object that it is.
      this.#files.set(file, { state: before.state, generation });
      if (known.object !== undefined) this.#generations.set(known.object, generation);
    } else {
      this.#files.set(file, { state: { file, documents: [document], problems: [] }, generation });
      if (document.object !== undefined) this.#generations.set(document.object, generation);
    }
    this.#filesChanged = true;
    return true;
  }

  remove(file: string): boolean {
    const isChange = this.#files.delete(file);
    this.#filesChanged ||= isChange;
    return isChange;
  }

  putService({ ref, object, generation }: ServiceRecord): void {
    const key = objectKey(ref);
    const before = this.#services.get(key);
    const isSame = before !== undefined && sameContent(before.object.manifest, object.manifest);
    const counted = generation ?? (isSame ? before.generation : (before?.generation ?? 0) + 1);
    if (isSame && counted === before.generation) return;
    this.#services.set(key, { object: isSame ? before.object : object, generation: counted });
    this.#servicesChanged = true;
  }

  removeService(key: ObjectKey): void {
    this.#servicesChanged = this.#services.delete(key) || this.#servicesChanged;
  }

  /** The view by now: the very same one where nothing changed. */
  view(): ManifestView {
    if (!this.#filesChanged && !this.#servicesChanged) return this.#view;
    if (this.#filesChanged) {
      const files = [...this.#files.values()].map(({ state }) => state).sort((a, b) => (a.file < b.file ? -1 : 1));
      this.#merged = mergeLastGood(this.#merged, { files, unsettled: new Set() });
    }
    this.#filesChanged = false;
    this.#servicesChanged = false;
    const { problems, stale, neverGood } = this.#merged;
    const entries = [
      ...this.#merged.objects.map((object) => ({ key: keyOf(object), object, generation: this.#generationOf(object) })),
      ...[...this.#services].map(([key, { object, generation }]) => ({ key, object, generation })),
    ].sort((a, b) => (a.key < b.key ? -1 : 1));
    const objects = entries.map(({ object }) => object);
    const generations = new Map(entries.map(({ key, generation }) => [key, generation]));
    this.#view = {
      objects: sameEntries(this.#view.objects, objects) ? this.#view.objects : objects,
      problems,
      stale,
      neverGood,
      generations: sameContent([...this.#view.generations], [...generations]) ? this.#view.generations : generations,
    };
    return this.#view;
  }

  #generationOf(object: SourceObject): number {
    return this.#generations.get(object) ?? 1;
  }
}

function keyOf({ manifest }: SourceObject): ObjectKey {
  return objectKey(objectRef(manifest));
}

function sameDocument(a: ParsedDocument, b: ParsedDocument): boolean {
  if (a.object === undefined || b.object === undefined)
    return a.object === b.object && sameContent(a.ref, b.ref) && sameContent(a.problems, b.problems);
  return sameContent(a.object.manifest, b.object.manifest);
}

function sameEntries<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((entry, index) => entry === b[index]);
}
