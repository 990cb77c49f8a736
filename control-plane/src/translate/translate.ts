import type { Model } from "../model/model.ts";
import type { NodeId, ProxySnapshot } from "../snapshot/snapshot.ts";
import { Translator } from "./translator.ts";

/** Everything that every proxy is to run. Depends on nothing but the model. */
export function translate(model: Model): ReadonlyMap<NodeId, ProxySnapshot> {
  const snapshot = new Translator().translate(model);
  const proxies = new Map<NodeId, ProxySnapshot>();
  for (const nodeId of snapshot.keys()) {
    const proxy = snapshot.get(nodeId);
    if (proxy !== undefined) proxies.set(nodeId, proxy);
  }
  return proxies;
}
