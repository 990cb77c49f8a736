import {
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
} from "@hedgerow/proto";
import { describe, expect, test } from "vitest";
import { assignment, cluster, inspection, listener, proxySnapshot, routes } from "../../test/xds-resources.ts";
import { layered } from "../snapshot/layers.ts";
import type { ProxySnapshot, Resource } from "../snapshot/snapshot.ts";
import type { AdsRequest } from "./request.ts";
import { Session, type SessionEffect } from "./session.ts";

const LONG = {
  cluster: CLUSTER_TYPE_URL,
  endpoint: ENDPOINT_TYPE_URL,
  listener: LISTENER_TYPE_URL,
  route: ROUTE_TYPE_URL,
  inspection: INSPECTION_CONFIG_TYPE_URL,
};
type Short = keyof typeof LONG;

/** A client by hand. Every event returns what was sent, as "type [names] -[removed]". */
class Client {
  readonly session = new Session();
  readonly #nonces = new Map<string, string>();

  ask(type: Short, request: Partial<AdsRequest> = {}): readonly string[] {
    return this.#request({ typeUrl: LONG[type], ...request });
  }
  ack(type: Short): readonly string[] {
    return this.ask(type, { nonce: this.#nonces.get(LONG[type]) ?? "" });
  }
  nack(type: Short, error: string): readonly string[] {
    return this.ask(type, { nonce: this.#nonces.get(LONG[type]) ?? "", error });
  }
  publish(...resources: readonly Resource[]): readonly string[] {
    return this.offer(proxySnapshot("n/a", resources));
  }
  offer(snapshot: ProxySnapshot): readonly string[] {
    return this.#sent(this.session.handle({ kind: "snapshot", snapshot }));
  }
  nonce(type: Short): string {
    return this.#nonces.get(LONG[type]) ?? "";
  }

  #request(request: Partial<AdsRequest> & { readonly typeUrl: string }): readonly string[] {
    const whole = {
      subscribe: [],
      unsubscribe: [],
      initialVersions: new Map(),
      nonce: "",
      error: undefined,
      ...request,
    };
    return this.#sent(this.session.handle({ kind: "request", request: whole, nowMs: 7 }));
  }

  #sent(effects: readonly SessionEffect[]): readonly string[] {
    const lines: string[] = [];
    for (const effect of effects) {
      if (effect.kind !== "send") continue;
      this.#nonces.set(effect.typeUrl, effect.nonce);
      const removed = effect.removed.length === 0 ? "" : ` -[${effect.removed.join()}]`;
      const type = Object.entries(LONG).find(([, typeUrl]) => typeUrl === effect.typeUrl)?.[0] ?? effect.typeUrl;
      lines.push(`${type} [${effect.resources.map(({ name }) => name).join()}]${removed}`);
      lines.push(...this.#sent(this.session.handle({ kind: "written" })));
    }
    return lines;
  }
}

const versions = (...resources: readonly Resource[]) => new Map(resources.map(({ name, version }) => [name, version]));

describe("what is answered", () => {
  test("nothing, until there is a snapshot; then everything at once", () => {
    const client = new Client();
    expect(client.ask("cluster")).toEqual([]);
    expect(client.ask("listener")).toEqual([]);
    expect(client.publish(cluster("a"), listener("l", 1, "r"))).toEqual(["cluster [a]", "listener [l]"]);
  });

  test("an empty wildcard, so that a starting Envoy goes on", () => {
    const client = new Client();
    client.publish();
    expect(client.ask("cluster")).toEqual(["cluster []"]);
    expect(client.ack("cluster")).toEqual([]);
  });

  test.each<[string, Partial<AdsRequest>, readonly string[]]>([
    ["an explicit wildcard", { subscribe: ["*"] }, ["cluster [a,b]"]],
    ["a wildcard with a name", { subscribe: ["*", "b"] }, ["cluster [a,b]"]],
    ["names only", { subscribe: ["b"] }, ["cluster [b]"]],
    ["a name that is not there", { subscribe: ["z"] }, ["cluster [] -[z]"]],
    ["a name subscribed and unsubscribed at once", { subscribe: ["b"], unsubscribe: ["b"] }, ["cluster [b]"]],
  ])("%s", (_name, request, sent) => {
    const client = new Client();
    client.publish(cluster("a"), cluster("b"));
    expect(client.ask("cluster", request)).toEqual(sent);
  });

  test("no wildcard for a first request without names of another type: it comes from a client that dropped all", () => {
    const client = new Client();
    client.publish(cluster("a"), assignment("a", 1));
    expect(client.ask("endpoint")).toEqual([]);
  });

  test("a name again, whenever it is subscribed again", () => {
    const client = new Client();
    client.publish(cluster("a"), assignment("a", 1));
    expect(client.ask("endpoint", { subscribe: ["a"] })).toEqual(["endpoint [a]"]);
    client.ack("endpoint");
    expect(client.ask("endpoint", { subscribe: ["a"] })).toEqual(["endpoint [a]"]);
  });

  test("a name that was unsubscribed while the wildcard stands: the client waits to hear what it is", () => {
    const client = new Client();
    client.publish(cluster("a"));
    client.ask("cluster", { subscribe: ["*", "a", "z"] });
    client.ack("cluster");
    expect(client.ask("cluster", { unsubscribe: ["a", "z"] })).toEqual(["cluster [a] -[z]"]);
  });

  test("no longer what the wildcard brought, once it is gone", () => {
    const client = new Client();
    client.publish(cluster("a"), cluster("b"));
    client.ask("cluster", { subscribe: ["*", "a"] });
    client.ack("cluster");
    client.ask("cluster", { unsubscribe: ["*"] });
    expect(client.publish(cluster("a", 2), cluster("b", 2))).toEqual(["cluster [a]"]);
  });

  test("an empty assignment for a cluster without endpoints, removed_resources for one that is nowhere", () => {
    const client = new Client();
    client.publish(cluster("a"));
    expect(client.ask("endpoint", { subscribe: ["a", "z"] })).toEqual(["endpoint [a] -[z]"]);
  });

  test("types that we do not serve: nothing is there, and the stream goes on", () => {
    const client = new Client();
    client.publish(cluster("a"));
    const request = {
      typeUrl: "type.googleapis.com/x.Y",
      subscribe: ["s"],
      unsubscribe: [],
      initialVersions: new Map(),
      nonce: "",
      error: undefined,
    };
    expect(client.session.handle({ kind: "request", request, nowMs: 0 })).toMatchObject([
      { kind: "send", typeUrl: "type.googleapis.com/x.Y", resources: [], removed: ["s"] },
    ]);
    client.session.handle({ kind: "written" });
    expect(client.ask("cluster")).toEqual(["cluster [a]"]);
  });
});

describe("ACK and NACK", () => {
  test("one response of a type waits for its answer; snapshots meanwhile merge", () => {
    const client = new Client();
    client.ask("cluster");
    expect(client.publish(cluster("a", 1))).toEqual(["cluster [a]"]);
    expect(client.publish(cluster("a", 2), cluster("b"))).toEqual([]);
    expect(client.publish(cluster("a", 3))).toEqual([]);
    expect(client.ack("cluster")).toEqual(["cluster [a]"]);
    expect(client.ack("cluster")).toEqual([]);
    expect(client.session.typeStates().get(CLUSTER_TYPE_URL)).toMatchObject({
      acknowledged: versions(cluster("a", 3)),
      acknowledgedAtMs: 7,
      rejected: undefined,
    });
  });

  test("a stale nonce answers nothing, but its subscription counts", () => {
    const client = new Client();
    client.publish(cluster("a"), assignment("a", 1), assignment("b", 1));
    client.ask("endpoint", { subscribe: ["a"] });
    const stale = client.nonce("endpoint");
    client.ack("endpoint");
    client.publish(cluster("a"), assignment("a", 2), assignment("b", 1));
    expect(client.ask("endpoint", { nonce: stale, error: "late" })).toEqual([]);
    expect(client.session.typeStates().get(ENDPOINT_TYPE_URL)?.rejected).toBeUndefined();
    expect(client.ask("endpoint", { nonce: stale, subscribe: ["b"] })).toEqual([]);
    expect(client.ack("endpoint")).toEqual(["endpoint [b]"]);
  });

  test("refused content is not sent again until it changes, and the version held stays", () => {
    const client = new Client();
    client.ask("cluster");
    client.publish(cluster("a", 1));
    client.ack("cluster");
    client.publish(cluster("a", 2));
    expect(client.nack("cluster", "no")).toEqual([]);
    expect(client.publish(cluster("a", 2))).toEqual([]);
    expect(client.session.typeStates().get(CLUSTER_TYPE_URL)).toMatchObject({
      acknowledged: versions(cluster("a", 1)),
      rejected: { message: "no", resources: versions(cluster("a", 2)), messages: new Map([["a", "no"]]), atMs: 7 },
    });
    expect(client.publish(cluster("a", 3))).toEqual(["cluster [a]"]);
    client.ack("cluster");
    expect(client.session.typeStates().get(CLUSTER_TYPE_URL)?.rejected).toBeUndefined();
  });

  test("going back to the content held before a refusal sends nothing", () => {
    const client = new Client();
    client.ask("cluster");
    client.publish(cluster("a", 1));
    client.ack("cluster");
    client.publish(cluster("a", 2));
    client.nack("cluster", "no");
    expect(client.publish(cluster("a", 1))).toEqual([]);
    expect(client.session.typeStates().get(CLUSTER_TYPE_URL)?.rejected).toBeUndefined();
  });

  test("only what the NACK names is refused; the rest, which Envoy applied or not, is sent again", () => {
    const client = new Client();
    client.ask("cluster");
    client.publish(cluster("a", 1), cluster("b", 1));
    client.ack("cluster");
    client.publish(cluster("a", 2), cluster("b", 2));
    expect(client.nack("cluster", "Error adding/updating cluster(s) b: bad")).toEqual(["cluster [a]"]);
    client.ack("cluster");
    expect(client.session.typeStates().get(CLUSTER_TYPE_URL)).toMatchObject({
      acknowledged: versions(cluster("a", 2), cluster("b", 1)),
      rejected: { resources: versions(cluster("b", 2)) },
    });
  });

  test("what may be half applied is sent again even when it goes back to the version held", () => {
    const client = new Client();
    client.ask("cluster");
    client.publish(cluster("a", 1));
    client.ack("cluster");
    client.publish(cluster("a", 2), cluster("b"), cluster("c"));
    client.publish(cluster("a", 1), cluster("c"));
    expect(client.nack("cluster", "Error adding/updating cluster(s) b: bad")).toEqual(["cluster [a,c]"]);
  });

  test("a NACK that names nobody is retried one by one", () => {
    const client = new Client();
    client.publish(assignment("a", 1), assignment("b", 1), assignment("c", 1));
    client.ask("endpoint", { subscribe: ["a", "b", "c"] });
    expect(client.nack("endpoint", "malformed")).toEqual(["endpoint [a]"]);
    expect(client.ack("endpoint")).toEqual(["endpoint [b]"]);
    expect(client.nack("endpoint", "malformed b")).toEqual(["endpoint [c]"]);
    expect(client.ack("endpoint")).toEqual([]);
    expect(client.session.typeStates().get(ENDPOINT_TYPE_URL)).toMatchObject({
      acknowledged: versions(assignment("a", 1), assignment("c", 1)),
      rejected: { message: "malformed b", resources: versions(assignment("b", 1)) },
    });
  });

  test("the answer that a name is not there survives the NACK of the response that carried it", () => {
    const client = new Client();
    client.publish(cluster("a"), assignment("a", 1));
    expect(client.ask("endpoint", { subscribe: ["a", "z"] })).toEqual(["endpoint [a] -[z]"]);
    expect(client.nack("endpoint", "no")).toEqual(["endpoint [] -[z]"]);
    expect(client.nack("endpoint", "no to this, too")).toEqual([]);
  });

  test("a removal that is refused is not tried for ever", () => {
    const client = new Client();
    client.ask("listener");
    client.publish(listener("l", 1, "r"));
    client.ack("listener");
    expect(client.publish()).toEqual(["listener [] -[l]"]);
    expect(client.nack("listener", "no")).toEqual([]);
    expect(client.publish(listener("l", 1, "r"))).toEqual(["listener [l]"]);
  });
});

describe("reconnect", () => {
  test("sends nothing that the client holds, and removes what is gone", () => {
    const client = new Client();
    client.publish(cluster("a"), cluster("b", 2), listener("l", 1, "r"));
    expect(
      client.ask("cluster", { initialVersions: versions(cluster("a"), cluster("b", 1), cluster("gone")) }),
    ).toEqual(["cluster [b]"]);
    expect(client.ask("listener", { initialVersions: versions(listener("l", 1, "r")) })).toEqual([]);
    // Only when the routes have been said is it sure that none of them needs the cluster.
    expect(client.ack("cluster")).toEqual([]);
    expect(client.ask("route", { subscribe: ["r"] })).toEqual(["cluster [] -[gone]", "route [] -[r]"]);
  });

  test("honours the versions of names; one that changed or that the client has not is sent", () => {
    const client = new Client();
    client.publish(cluster("a"), assignment("a", 1), assignment("b", 2), assignment("c", 1));
    const initialVersions = versions(assignment("a", 1), assignment("b", 1));
    expect(client.ask("endpoint", { subscribe: ["a", "b", "c"], initialVersions })).toEqual(["endpoint [b,c]"]);
  });

  test("an assignment that the client holds is sent again if its cluster was: the cluster is warming", () => {
    const client = new Client();
    client.publish(cluster("a", 2), assignment("a", 1));
    expect(client.ask("cluster", { initialVersions: versions(cluster("a", 1)) })).toEqual(["cluster [a]"]);
    expect(client.ask("endpoint", { subscribe: ["a"], initialVersions: versions(assignment("a", 1)) })).toEqual([
      "endpoint [a]",
    ]);
  });
});

describe("order", () => {
  const connected = (...resources: readonly Resource[]) => {
    const client = new Client();
    client.publish(...resources);
    client.ask("cluster");
    client.ask("endpoint", { subscribe: ["a"] });
    client.ack("endpoint");
    client.ack("cluster");
    client.ask("listener");
    client.ack("listener");
    client.ask("route", { subscribe: ["r"] });
    client.ack("route");
    return client;
  };
  const before = [cluster("a"), assignment("a", 1), listener("l", 1, "r"), routes("r", { a: 1 })];
  const after = [cluster("b"), assignment("b", 1), listener("l", 1, "r"), routes("r", { b: 1 })];

  test("a route waits for its cluster and the cluster's assignment; the old cluster goes last", () => {
    const client = connected(...before);
    expect(client.publish(...after)).toEqual(["cluster [b]"]);
    expect(client.ask("endpoint", { subscribe: ["b"] })).toEqual(["endpoint [b]"]);
    expect(client.ack("endpoint")).toEqual([]);
    expect(client.ack("cluster")).toEqual(["route [r]"]);
    expect(client.ack("route")).toEqual(["cluster [] -[a]"]);
    expect(client.ack("cluster")).toEqual(["endpoint [] -[a]"]);
  });

  test("a changed cluster gets its assignment without waiting for the CDS ACK, which Envoy holds back until then", () => {
    const client = connected(...before);
    expect(client.publish(cluster("a", 5), ...before.slice(1))).toEqual(["cluster [a]", "endpoint [a]"]);
  });

  test("an assignment in flight when its cluster changes is sent once more", () => {
    const client = connected(...before);
    expect(client.publish(cluster("a"), assignment("a", 2), ...before.slice(2))).toEqual(["endpoint [a]"]);
    expect(client.publish(cluster("a", 5), assignment("a", 2), ...before.slice(2))).toEqual(["cluster [a]"]);
    expect(client.ack("endpoint")).toEqual(["endpoint [a]"]);
  });

  test("a refused new cluster holds back only the routes that name it; they come when it is mended", () => {
    const client = connected(...before);
    client.ask("route", { subscribe: ["s"] });
    client.ack("route");
    const others = [cluster("a"), assignment("a", 1), assignment("b", 1), listener("l", 1, "r")];
    expect(client.publish(cluster("b", 1), ...others, routes("r", { a: 1, b: 1 }), routes("s", { a: 2 }))).toEqual([
      "cluster [b]",
      "route [s]",
    ]);
    client.ack("route");
    expect(client.nack("cluster", "no")).toEqual([]);
    expect(client.publish(cluster("b", 2), ...others, routes("r", { a: 1, b: 1 }), routes("s", { a: 2 }))).toEqual([
      "cluster [b]",
    ]);
    client.ask("endpoint", { subscribe: ["b"] });
    client.ack("endpoint");
    expect(client.ack("cluster")).toEqual(["route [r]"]);
  });

  test("a refused update of a cluster holds back nothing: the older one serves", () => {
    const client = connected(...before);
    client.publish(cluster("a", 5), assignment("a", 1), listener("l", 1, "r"), routes("r", { a: 7 }));
    expect(client.nonce("route")).not.toBe("");
    client.ack("endpoint");
    client.nack("cluster", "no");
    client.ack("route");
    expect(client.session.typeStates().get(ROUTE_TYPE_URL)?.acknowledged).toEqual(versions(routes("r", { a: 7 })));
  });

  test("a refused route keeps the clusters that the older one names", () => {
    const client = connected(...before);
    client.publish(...after);
    client.ask("endpoint", { subscribe: ["b"] });
    client.ack("endpoint");
    expect(client.ack("cluster")).toEqual(["route [r]"]);
    expect(client.nack("route", "no")).toEqual([]);
  });

  test("with a refused assignment a new route is delivered, a route that the client holds stays as it is", () => {
    const client = connected(...before);
    client.ask("route", { subscribe: ["s"] });
    client.ack("route");
    client.publish(
      ...before.slice(0, 3),
      cluster("b"),
      assignment("b", 1),
      routes("r", { b: 1 }),
      routes("s", { b: 1 }),
    );
    client.ask("endpoint", { subscribe: ["b"] });
    client.ack("cluster");
    expect(client.nack("endpoint", "no")).toEqual(["route [s]"]);
  });

  test("a listener takes over the address of another in one response", () => {
    const client = connected(...before);
    expect(client.publish(...before.slice(0, 2), listener("m", 1, "r"), routes("r", { a: 1 }))).toEqual([
      "listener [m] -[l]",
    ]);
  });

  test("clusters that the snapshot has not are the bootstrap's: not waited for", () => {
    const client = new Client();
    client.publish(routes("r", { ads: 1 }));
    expect(client.ask("route", { subscribe: ["r"] })).toEqual(["route [r]"]);
  });

  test("more than a gRPC client takes goes in several responses", () => {
    const big = (name: string): Resource => ({
      typeUrl: WORKLOAD_CONFIG_TYPE_URL,
      name,
      version: "1",
      encoded: new Uint8Array(2 * 1024 * 1024),
      origins: [],
    });
    const client = new Client();
    client.publish(big("a"), big("b"));
    const typeUrl = WORKLOAD_CONFIG_TYPE_URL;
    const request = {
      typeUrl,
      subscribe: ["a", "b"],
      unsubscribe: [],
      initialVersions: new Map(),
      nonce: "",
      error: undefined,
    };
    const [sent] = client.session.handle({ kind: "request", request, nowMs: 0 });
    expect(sent).toMatchObject({ kind: "send", resources: [{ name: "a" }] });
  });
});

describe("a recorded route", () => {
  const name = "inbound/n/a/80";
  const [one, two] = ["one", "two"].map((region) => inspection("n/a", region));
  const plain = routes(name, { bootstrap: 1 });
  const recorded = routes(name, { bootstrap: 1 }, undefined, true);
  const other = routes(name, { other: 1 }, undefined, true);
  if (one === undefined || two === undefined) throw new Error("no inspections");

  const connected = (...resources: readonly Resource[]) => {
    const client = new Client();
    client.publish(...resources);
    client.ask("route", { subscribe: [name] });
    client.ack("route");
    client.ask("inspection", { subscribe: ["n/a"] });
    client.ack("inspection");
    return client;
  };

  test("waits until the agent has acknowledged what it inspects, and again when that changes", () => {
    const client = connected(plain);
    expect(client.publish(one, recorded)).toEqual(["inspection [n/a]"]);
    expect(client.ack("inspection")).toEqual([`route [${name}]`]);
    client.ack("route");
    expect(client.publish(two, other)).toEqual(["inspection [n/a]"]);
    expect(client.ack("inspection")).toEqual([`route [${name}]`]);
  });

  test("is not sent while the snapshot has not what it needs", () => {
    const client = connected(plain);
    expect(client.publish(recorded)).toEqual([]);
    expect(client.publish(one, recorded)).toEqual(["inspection [n/a]"]);
    expect(client.ack("inspection")).toEqual([`route [${name}]`]);
  });

  test("is not sent to a client whose agent never asks", () => {
    const client = new Client();
    client.publish(one, recorded);
    expect(client.ask("route", { subscribe: [name] })).toEqual([]);
    expect(client.ask("inspection", { subscribe: ["n/a"] })).toEqual(["inspection [n/a]"]);
    expect(client.ack("inspection")).toEqual([`route [${name}]`]);
  });

  test("stays as it is while the agent refuses, and comes once that is mended", () => {
    const client = connected(plain);
    client.publish(one, recorded);
    expect(client.nack("inspection", "ledgers: no such secret")).toEqual([]);
    expect(client.session.typeStates().get(INSPECTION_CONFIG_TYPE_URL)?.rejected?.messages.get("n/a")).toMatch(
      /secret/,
    );
    expect(client.publish(two, recorded)).toEqual(["inspection [n/a]"]);
    expect(client.ack("inspection")).toEqual([`route [${name}]`]);
  });

  test("does not wait after a reconnect for what the agent holds", () => {
    const client = new Client();
    client.publish(one, other);
    client.ask("inspection", { subscribe: ["n/a"], initialVersions: versions(one) });
    const again = { subscribe: [name], initialVersions: versions(recorded) };
    expect(client.ask("route", again)).toContain(`route [${name}]`);
  });

  test("is gone before what it needs", () => {
    const client = new Client();
    client.publish(one, recorded);
    client.ask("inspection", { subscribe: ["n/a"] });
    client.ack("inspection");
    client.ask("route", { subscribe: [name] });
    client.ack("route");
    expect(client.publish(plain)).toEqual([`route [${name}]`]);
    expect(client.ack("route")).toEqual(["inspection [] -[n/a]"]);
  });
});

test("of what did not change nothing is looked at, and the state says what is behind", () => {
  class Watched extends Map<string, Resource> {
    reads = 0;
    override get(name: string): Resource | undefined {
      this.reads += 1;
      return super.get(name);
    }
    override [Symbol.iterator](): MapIterator<[string, Resource]> {
      this.reads += this.size;
      return super[Symbol.iterator]();
    }
    override keys(): MapIterator<string> {
      this.reads += this.size;
      return super.keys();
    }
  }
  const shared = new Watched(
    Array.from({ length: 500 }, (_, index) => cluster(`s${index}`)).map((each) => [each.name, each]),
  );
  const client = new Client();
  const publish = (own: Resource) => {
    const map = layered(new Map([[own.name, own]]), shared);
    return client.offer({ nodeId: "n/a", resources: new Map([[CLUSTER_TYPE_URL, map]]) });
  };
  const behind = () => [...(client.session.typeStates().get(CLUSTER_TYPE_URL)?.behind?.names ?? ["unknown"])];
  client.ask("cluster");
  publish(cluster("own", 1));
  expect(behind()).toHaveLength(501);
  client.ack("cluster");
  expect(behind()).toEqual([]);

  shared.reads = 0;
  expect(publish(cluster("own", 2))).toEqual(["cluster [own]"]);
  expect(behind()).toEqual(["own"]);
  expect(client.nack("cluster", "no")).toEqual([]);
  expect(behind()).toEqual(["own"]);
  const readsOfRefusal = shared.reads;
  expect(publish(cluster("own", 3))).toEqual(["cluster [own]"]);
  expect(client.ack("cluster")).toEqual([]);
  expect(behind()).toEqual([]);
  expect(shared.reads - readsOfRefusal).toBeLessThan(10);
});

test("an assignment that was made up for a cluster goes with it, though the client keeps asking", () => {
  const client = new Client();
  client.publish(cluster("a"));
  client.ask("listener");
  client.ack("listener");
  client.ask("cluster");
  expect(client.ask("endpoint", { subscribe: ["a"] })).toEqual(["endpoint [a]"]);
  client.ack("endpoint");
  client.ack("cluster");
  expect(client.publish()).toEqual(["cluster [] -[a]"]);
  expect(client.ack("cluster")).toEqual(["endpoint [] -[a]"]);
});

describe("limits", () => {
  test("a stream that tracks too many names of a type is refused", () => {
    const client = new Client();
    const names = (prefix: string) => Array.from({ length: 6000 }, (_, index) => `${prefix}${index}`);
    client.ask("endpoint", { subscribe: names("a") });
    const request = {
      typeUrl: ENDPOINT_TYPE_URL,
      subscribe: names("b"),
      unsubscribe: [],
      initialVersions: new Map(),
      nonce: "",
      error: undefined,
    };
    expect(client.session.handle({ kind: "request", request, nowMs: 0 })).toMatchObject([{ kind: "refuse" }]);
  });
});
