// 1,000 odd pods, judged by a real API server: in a namespace of the mesh and in one that is none.
import assert from "node:assert/strict";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type OddPod, oddPod } from "../../test/odd-pods.ts";
import { type Any, startWebhookCluster, type WebhookCluster } from "../../test/webhook-cluster.ts";
import { KubernetesError } from "../kubernetes/client.ts";
import { injectPod } from "./pod.ts";
import { without } from "./shape.ts";
import { testContext } from "./testing/context.ts";

const RUNS = 1_000;
const OUR_WORDS = /^admission webhook "(namespace|pod)\.inject\.hedgerow\.dev" denied the request: ./;

let cluster: WebhookCluster;
beforeAll(async () => {
  cluster = await startWebhookCluster({ plain: {}, labelled: { "hedgerow.dev/injection": "enabled" } });
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose](), 60_000);

type Tried = { readonly pod: Any } | { readonly status: number; readonly message: string };

async function attempt(namespace: string, pod: unknown): Promise<Tried> {
  try {
    return { pod: await cluster.createPod(namespace, pod, { dryRun: "All" }) };
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    return { status: error.status, message: error.message };
  }
}

/** The same pod, but asked for by nobody: its label would bring it in from anywhere. */
function unasked({ metadata, spec }: OddPod): OddPod {
  const { "hedgerow.dev/inject": wish, ...labels } = metadata["labels"] as Record<string, string>;
  return { metadata: { ...metadata, labels: wish === "true" ? labels : metadata["labels"] }, spec };
}

const kinds = { livenessProbe: "livez", readinessProbe: "readyz", startupProbe: "startupz" };
const hooks = { preStop: "prestop", postStart: "poststart" };

/** What must be true of a pod that was accepted with its sidecar, beside the one that was accepted without. */
function expectInjected(plain: Any, made: Any): void {
  const [init, proxy, ...others] = made.spec.initContainers;
  assert.deepEqual([init.name, proxy.name, proxy.restartPolicy], ["hedgerow-init", "hedgerow-proxy", "Always"]);
  assert.deepEqual(init.securityContext.capabilities, { add: ["NET_ADMIN"], drop: ["ALL"] });
  assert.partialDeepStrictEqual(proxy.securityContext, {
    runAsUser: 1337,
    runAsNonRoot: true,
    capabilities: { drop: ["ALL"] },
  });
  assert.deepEqual(made.metadata.labels["hedgerow.dev/mesh"], "true");
  assert.deepEqual(
    made.spec.volumes.slice(-4).map(({ name }: Any) => name),
    ["hedgerow-run", "hedgerow-token", "hedgerow-no-token", "hedgerow-audit"],
  );

  const text = proxy.env.find(({ name }: Any) => name === "HEDGEROW_PROBES").value;
  assert.ok(!text.includes("$"));
  const probes = JSON.parse(text);
  const described = new Set<string>();
  const expectProbe = (container: Any, was: Any, is: Any, kind: string) => {
    const [handler] = ["httpGet", "tcpSocket", "grpc"].filter((name) => was?.[name] !== undefined);
    const path = `/app-health/${container.name}/${kind}`;
    const port = (name: string | number) =>
      typeof name === "number" ? name : container.ports?.find((one: Any) => one.name === name)?.containerPort;
    // Where its port is not to be found, kubelet could not ask it either.
    if (handler === undefined || port(was[handler].port) === undefined) return assert.deepEqual(is, was);
    const { [handler]: action, ...timing } = was;
    assert.deepEqual(is, { ...timing, httpGet: { path, port: 15020, scheme: "HTTP" } });
    const slash = action.path?.startsWith("/") ? "" : "/";
    const wholePath = action.path === undefined ? {} : { path: `${slash}${action.path}` };
    const { service, ...rest } = action;
    const words = { ...rest, ...wholePath, port: port(action.port), ...(service ? { service } : {}) };
    assert.deepEqual(JSON.parse(JSON.stringify(probes[path][handler])), JSON.parse(JSON.stringify(words)));
    assert.deepEqual(probes[path].timeoutSeconds, was.timeoutSeconds && Math.min(was.timeoutSeconds, 3_600));
    described.add(path);
  };
  const expectContainer = (was: Any, is: Any) => {
    const bare = (container: Any) => without(container, [...Object.keys(kinds), "lifecycle"]);
    assert.deepEqual(bare(is), bare(was));
    for (const [field, kind] of Object.entries(kinds)) expectProbe(was, was[field], is[field], kind);
    for (const [field, kind] of Object.entries(hooks))
      expectProbe(was, was.lifecycle?.[field], is.lifecycle?.[field], kind);
  };
  const before = [...(plain.spec.initContainers ?? []), ...plain.spec.containers];
  const after = [...others, ...made.spec.containers];
  assert.deepEqual(after.length, before.length);
  for (const [index, one] of before.entries()) expectContainer(one, after[index]);
  assert.deepEqual(Object.keys(probes).sort(), [...described].sort());

  const rest = (spec: Any) => without(spec, ["containers", "initContainers", "volumes"]);
  assert.deepEqual(rest(made.spec), rest(plain.spec));
  assert.deepEqual(made.spec.volumes.slice(0, -4), plain.spec.volumes ?? []);
}

/** Names that the API server makes up differ. */
const settled = (pod: Any) =>
  JSON.parse(JSON.stringify(pod).replaceAll(/kube-api-access-[a-z0-9]{5}/g, "kube-api-access-x"));

it("are patched to what the API server takes, or refused with a reason; nothing wrong is made right", async () => {
  const counts = { patched: 0, skipped: 0, "refused by us": 0, "refused by both": 0 };
  const judge = async (odd: OddPod) => {
    const [plain, made] = await Promise.all([attempt("plain", unasked(odd)), attempt("labelled", odd)]);
    if ("pod" in plain && "pod" in made) {
      const injected = injectPod(odd, testContext);
      if (injected.kind === "skip") {
        counts.skipped++;
        assert.deepEqual(settled(made.pod.spec), settled(plain.pod.spec));
        return;
      }
      counts.patched++;
      expectInjected(settled(plain.pod), settled(made.pod));
      // What the API server shows can be created again, as it is.
      const { labels, annotations } = made.pod.metadata;
      const again = await attempt("labelled", {
        metadata: { name: "again", labels, annotations },
        spec: made.pod.spec,
      });
      assert.deepEqual("pod" in again ? again.pod.spec : again, made.pod.spec);
      return;
    }
    if ("pod" in made) throw new Error(`made right what is wrong: ${"message" in plain ? plain.message : ""}`);
    assert.doesNotMatch(made.message, /failed calling webhook|Internal error|json patch/i);
    assert.ok(made.status >= 400);
    assert.ok(made.status < 500);
    if ("pod" in plain) {
      counts["refused by us"]++;
      assert.match(made.message, OUR_WORDS);
    } else counts["refused by both"]++;
  };
  await fc.assert(fc.asyncProperty(oddPod, judge), { numRuns: RUNS, endOnFailure: true });
  // Odd enough, and not too odd to be pods.
  expect(counts.patched).toBeGreaterThan(RUNS / 10);
  expect(counts["refused by us"]).toBeGreaterThan(RUNS / 50);
  expect(counts["refused by both"]).toBeGreaterThan(RUNS / 10);
}, 600_000);
