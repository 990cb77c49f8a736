// What the answers to LIST and WATCH say (Kubernetes API Concepts, "Efficient detection of changes").
import { messageOf } from "../errors.ts";
import { statusError } from "./answer.ts";
import { KubernetesError } from "./errors.ts";
import { fieldOf, isObject, type JsonObject, objectIn, textIn } from "./json-fields.ts";

/** An object of an answer, as it came. */
export interface RawObject {
  /** NAMESPACE/NAME, or NAME where the resource knows no namespaces. */
  readonly key: string;
  readonly resourceVersion: string;
  readonly raw: JsonObject;
}

export type WatchEvent =
  | { readonly kind: "put"; readonly object: RawObject }
  | { readonly kind: "delete"; readonly object: RawObject }
  | { readonly kind: "bookmark"; readonly resourceVersion: string };

export interface ListPage {
  readonly objects: readonly RawObject[];
  readonly resourceVersion: string;
  /** Undefined: this is the last page. */
  readonly continueToken: string | undefined;
}

/** Reads one line of a watch. Throws KubernetesError: what the server says in an ERROR event; BadAnswer: no such event. */
export function readWatchLine(line: string): WatchEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw badAnswer(`a line of the watch is not JSON: ${messageOf(error)}`);
  }
  const type = fieldOf(event, "type");
  const object = fieldOf(event, "object");
  if (type === "ERROR") throw statusError(object);
  if (type === "BOOKMARK") {
    const resourceVersion = textIn(objectIn(object, "metadata"), "resourceVersion");
    if (resourceVersion === undefined) throw badAnswer("a bookmark without resourceVersion");
    return { kind: "bookmark", resourceVersion };
  }
  if (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED") throw badAnswer("a watch event of unknown type");
  const found = rawObject(object);
  if (found === undefined) throw badAnswer("a watch event without name or resourceVersion");
  return { kind: type === "DELETED" ? "delete" : "put", object: found };
}

/** Reads a page of a list. Objects without name or version are left out: they cannot be followed. */
export function readListPage(page: unknown): ListPage {
  const metadata = objectIn(page, "metadata");
  const resourceVersion = textIn(metadata, "resourceVersion");
  // Of no objects the server writes null.
  const items = fieldOf(page, "items") ?? [];
  if (resourceVersion === undefined || !Array.isArray(items)) throw badAnswer("no list with a resourceVersion");
  const objects = items.flatMap((item: unknown) => rawObject(item) ?? []);
  return { objects, resourceVersion, continueToken: textIn(metadata, "continue", 65_536) };
}

function rawObject(raw: unknown): RawObject | undefined {
  if (!isObject(raw)) return undefined;
  const metadata = objectIn(raw, "metadata");
  const name = textIn(metadata, "name");
  const namespace = textIn(metadata, "namespace");
  const resourceVersion = textIn(metadata, "resourceVersion");
  if (name === undefined || resourceVersion === undefined) return undefined;
  return { key: namespace === undefined ? name : `${namespace}/${name}`, resourceVersion, raw };
}

function badAnswer(message: string): KubernetesError {
  return new KubernetesError(0, "BadAnswer", message);
}
