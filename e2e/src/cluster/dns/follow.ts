import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

const retryMs = 500;
// The API server ends a watch after some time of its own; this ends one that it has forgotten.
const silenceMs = 60_000;

export interface KubernetesObject {
  readonly kind?: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion: string };
}

interface List<T> {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly T[];
}

interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

/** Keeps a map of a collection's objects, by NAMESPACE/NAME, as the API server has them; goes on through its outages. */
export async function follow<T extends KubernetesObject>(
  get: (path: string) => Promise<IncomingMessage>,
  path: string,
  objects: Map<string, T>,
): Promise<never> {
  const keyOf = ({ metadata }: T) => `${metadata.namespace}/${metadata.name}`;
  for (;;) {
    try {
      const list = JSON.parse(await text(await get(path))) as List<T>;
      objects.clear();
      for (const object of list.items) objects.set(keyOf(object), object);
      const watch = await get(
        `${path}?watch=1&allowWatchBookmarks=true&resourceVersion=${list.metadata.resourceVersion}`,
      );
      for await (const line of createInterface(watch)) {
        const { type, object } = JSON.parse(line) as WatchEvent<T>;
        if (type === "ERROR") break;
        if (type === "DELETED") objects.delete(keyOf(object));
        else if (type !== "BOOKMARK") objects.set(keyOf(object), object);
      }
    } catch (error) {
      console.error(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
    await delay(retryMs);
  }
}

async function text(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Asks the API server at the URL with the administrator's certificate of a cluster's directory. */
export function getter(directory: string, server: string): (path: string) => Promise<IncomingMessage> {
  const file = (name: string) => readFileSync(join(directory, name));
  const credentials = { ca: file("ca.crt"), cert: file("admin.crt"), key: file("admin.key") };
  return (path) =>
    new Promise((resolve, reject) => {
      const asked = request(`${server}${path}`, { ...credentials, agent: false, timeout: silenceMs }, (response) => {
        if (response.statusCode === 200) return resolve(response);
        response.resume();
        reject(new Error(`status ${response.statusCode}`));
      });
      asked.once("timeout", () => asked.destroy(new Error("silence")));
      asked.once("error", reject);
      asked.end();
    });
}
