// The webhooks, and a real API server that asks them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Problem } from "@hedgerow/manifest";
import { pino } from "pino";
import { parseAllDocuments } from "yaml";
import { CaBundleKeeper } from "../src/inject/ca-bundle.ts";
import type { PolicyEdit } from "../src/inject/edit.ts";
import { testContext } from "../src/inject/testing/context.ts";
import { TestIdentity } from "../src/inject/testing/serving-identity.ts";
import { startWebhook, type Webhook } from "../src/inject/webhook.ts";
import { startApiServer, type TestApiServer } from "./api-server.ts";
import { until } from "./until.ts";

// biome-ignore lint/suspicious/noExplicitAny: assertions prove the shape.
export type Any = any;

export interface WebhookCluster extends AsyncDisposable {
  readonly api: TestApiServer;
  readonly rootPem: string;
  /** What the webhook recorded. It refuses manifests whose name is `bad`. */
  readonly edits: PolicyEdit[];
  readonly get: (path: string) => Promise<Any>;
  /** Resolves with the pod as the API server made it. */
  readonly createPod: (namespace: string, pod: unknown, query?: Readonly<Record<string, string>>) => Promise<Any>;
  stopWebhook(): Promise<void>;
  startWebhook(): Promise<void>;
}

const logger = pino({ enabled: false });
const manifests = join(import.meta.dirname, "../../manifests");

/** With these namespaces and their labels, `labelled` among them. */
export async function startWebhookCluster(namespaces: Readonly<Record<string, object>>): Promise<WebhookCluster> {
  await using starting = new AsyncDisposableStack();
  const identity = new TestIdentity();
  const edits: PolicyEdit[] = [];
  let webhook: Webhook | undefined;
  let port = 0;
  const startHere = async () => {
    webhook = await startWebhook({
      listen: { host: "127.0.0.1", port },
      identity,
      injection: () => testContext,
      review: (object: Any) => ({ problems: object.metadata.name === "bad" ? [bad] : [], warnings: [] }),
      recordEdit: (edit) => edits.push(edit),
      logger,
    });
    port = Number(webhook.address.split(":").at(-1));
  };
  const stopHere = async () => {
    await webhook?.[Symbol.asyncDispose]();
    webhook = undefined;
  };

  const api = starting.use(await startApiServer());
  starting.defer(stopHere);
  await startHere();
  const get: WebhookCluster["get"] = async (path) => await api.client.request("GET", path);
  const createPod: WebhookCluster["createPod"] = async (namespace, pod, query = {}) =>
    await api.client.request("POST", `/api/v1/namespaces/${namespace}/pods`, { body: pod, query });

  for (const [name, labels] of Object.entries(namespaces)) {
    await api.client.request("POST", "/api/v1/namespaces", { body: { metadata: { name, labels } } });
    const account = `/api/v1/namespaces/${name}/serviceaccounts/default`;
    await until(`the service account of ${name}`, () => get(account));
  }
  await api.kubectl(["apply", "--server-side", "-k", join(manifests, "crds")]);
  const list = { apiVersion: "v1", kind: "List", items: configurations(port) };
  await api.kubectl(["apply", "-f", "-"], JSON.stringify(list));
  const bundlePem = () => identity.rootPem;
  starting.use(new CaBundleKeeper({ client: api.client, revision: "default", bundlePem, logger, intervalMs: 200 }));
  const probe = { metadata: { name: "probe" }, spec: { containers: [{ name: "app", image: "app" }] } };
  await until("the webhook to be asked", async () => {
    const made = await createPod("labelled", probe, { dryRun: "All" });
    return made.spec.initContainers === undefined ? undefined : made;
  });

  const running = starting.move();
  return {
    api,
    rootPem: identity.rootPem,
    edits,
    get,
    createPod,
    stopWebhook: stopHere,
    startWebhook: startHere,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const bad: Problem = {
  position: { file: "object", line: 0, column: 0 },
  field: "spec",
  code: "invalid_value",
  message: "spec is bad",
};

/** The configurations that we install, led to this machine instead of the Service. */
function configurations(port: number): readonly Any[] {
  const text = readFileSync(join(manifests, "base/webhooks.yaml"), "utf8");
  return parseAllDocuments(text).map((document) => {
    const configuration: Any = document.toJS();
    for (const one of configuration.webhooks)
      one.clientConfig = { url: `https://localhost:${port}${one.clientConfig.service.path}` };
    return configuration;
  });
}
