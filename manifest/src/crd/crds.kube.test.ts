import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { startApiServer, type TestApiServer } from "../../../scripts/testing/api-server.js";
import { type Manifest, parseManifests, readObject } from "../index.ts";
import { validSpecs } from "../testing/arbitrary-objects.ts";

const manifests = fileURLToPath(new URL("../../../manifests", import.meta.url));
const examples = join(manifests, "examples");
const invalid = join(examples, "invalid");

let server: TestApiServer;

async function kubectl(args: readonly string[], stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await server.kubectl(args, stdin);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

beforeAll(async () => {
  server = await startApiServer();
  await kubectl(["apply", "--server-side", "-f", server.gatewayCrds]);
  await kubectl(["apply", "-k", join(manifests, "crds")]);
  await kubectl(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]);
  await createNamespaces(["hedgerow-system", ...namespacesOf(readdirSync(examples))]);
});

function namespacesOf(files: readonly string[]): ReadonlySet<string> {
  const texts = files
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => readFileSync(join(examples, name), "utf8"));
  const objects = texts.flatMap((text) => parseManifests("f", text).objects);
  return new Set(objects.map(({ manifest }) => manifest.metadata.namespace).filter((name) => name !== "default"));
}

function createNamespaces(names: Iterable<string>): Promise<string> {
  const namespaces = [...names].map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }));
  return kubectl(["create", "-f", "-"], namespaces.map((namespace) => stringify(namespace)).join("---\n"));
}

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

test("no definition is found wanting", async () => {
  const list: unknown = JSON.parse(await kubectl(["get", "crd", "-o", "json"]));
  expect(JSON.stringify(list)).not.toMatch(/"NonStructuralSchema","status":"True"/);
  const names = await kubectl(["api-resources", "--categories=hedgerow", "--no-headers", "-o", "name"]);
  expect(names.trim().split("\n").toSorted()).toEqual([
    "accesspolicies.hedgerow.dev",
    "auditpolicies.hedgerow.dev",
    "meshconfigs.hedgerow.dev",
    "trafficpolicies.hedgerow.dev",
    "workloads.hedgerow.dev",
  ]);
});

describe("an example", () => {
  test.each(readdirSync(examples).filter((name) => name.endsWith(".yaml")))("%s comes back as it is", async (name) => {
    const file = join(examples, name);
    const { objects } = parseManifests(name, readFileSync(file, "utf8"));
    const applied = await kubectl(["apply", "--server-side", "-o", "json", "-f", file]);
    const read = itemsOf(applied).map((value) => readObject(value, name));
    expect(read.flatMap(({ problems }) => problems)).toEqual([]);
    expect(read.map(({ object }) => object && withoutTime(object.manifest))).toEqual(
      objects.map(({ manifest }) => asFilledIn(manifest)),
    );
    await kubectl(["delete", "-f", file]);
  });
});

test("kubectl get says whether an object is in effect, and what keeps it from being so", async () => {
  const policy = {
    apiVersion: "hedgerow.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name: "shown", namespace: "models" },
    spec: { targetRefs: [{ kind: "Service", name: "digits" }], allow: [] },
  };
  const condition = (type: string, status: string, message: string) => ({
    type,
    status,
    message,
    reason: "Because",
    observedGeneration: 1,
    lastTransitionTime: "2026-11-24T10:00:00Z",
  });
  const status = {
    observedGeneration: 1,
    effective: "partly",
    conditions: [
      condition("Accepted", "True", ""),
      condition("ResolvedRefs", "True", ""),
      condition("Conflicted", "False", ""),
      condition("Programmed", "False", "1 of 2 proxies; fraud/api has not acknowledged yet"),
    ],
    proxies: { total: 2, programmed: 1, summary: "1/2" },
    laggards: [{ nodeId: "fraud/api", reason: "Pending", message: "has not acknowledged yet" }],
  };
  const shown = async () => {
    const table = await kubectl(["get", "hedgerow", "-n", "models", "-o", "wide"]);
    return table.replace(/ {2,}/g, "|").trimEnd().split("\n");
  };
  await kubectl(["create", "-f", "-"], JSON.stringify(policy));
  await kubectl(["apply", "--server-side", "--subresource=status", "-f", "-"], JSON.stringify({ ...policy, status }));
  expect(await shown()).toEqual([
    "NAME|EFFECTIVE|PROXIES|WHY|AGE",
    expect.stringMatching(
      /^accesspolicy\.hedgerow\.dev\/shown\|partly\|1\/2\|1 of 2 proxies; fraud\/api has not acknowledged yet\|\d+s$/,
    ),
  ]);
  const unresolved = status.conditions.with(1, condition("ResolvedRefs", "False", "service models/digits not found"));
  const worse = { ...policy, status: { ...status, conditions: unresolved } };
  await kubectl(["apply", "--server-side", "--subresource=status", "-f", "-"], JSON.stringify(worse));
  expect((await shown())[1]).toContain("|service models/digits not found|");
  await kubectl(["delete", "accesspolicy", "shown", "-n", "models"]);
});

describe("an invalid example", () => {
  test("is refused, or left to the webhook, as is written down", async () => {
    const files = readdirSync(invalid).filter((name) => name.endsWith(".yaml"));
    const { stderr } = await server.kubectl(["create", "--dry-run=server", "-f", invalid]);
    const left = files.filter((file) => !stderr.includes(`${file}"`));
    const readme = join(invalid, "README.md");
    const written = readFileSync(readme, "utf8");
    const list = left.map((file) => `- ${file}\n`).join("");
    if (process.env["GOLDEN"] === "write") writeFileSync(readme, written.replace(/\n+(- .*\n)*$/, `\n\n${list}`));
    expect(readFileSync(readme, "utf8")).toMatch(new RegExp(`\n\n${list}$`));
  });
});

describe("what the command accepts, the API server accepts too, and gives back", () => {
  test.each(Object.entries(validSpecs))("%s", async (kind, specs) => {
    const values = fc.sample<unknown>(specs, 150).map((spec, index) => ({
      apiVersion: "hedgerow.dev/v1alpha1",
      kind,
      // Nothing is kept: they may all have one name.
      metadata: { name: kind === "MeshConfig" ? "mesh" : `random-${index}`, namespace: "models" },
      spec,
    }));
    const read = values.map((value) => readObject(value, "f"));
    expect(read.flatMap(({ problems }) => problems)).toEqual([]);
    const folder = mkdtempSync(join(tmpdir(), "hedgerow-objects-"));
    try {
      for (const [index, value] of values.entries())
        writeFileSync(join(folder, `${String(index).padStart(3, "0")}.json`), JSON.stringify(value));
      const created = await kubectl(["create", "--dry-run=server", "-o", "json", "-f", folder]);
      const back = itemsOf(created).map((value) => readObject(value, "f"));
      expect(back.flatMap(({ problems }) => problems)).toEqual([]);
      expect(back.map(({ object }) => object && withoutTime(object.manifest))).toEqual(
        read.map(({ object }) => object?.manifest),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** What kubectl prints of one object, or of several. */
function itemsOf(json: string): readonly unknown[] {
  // Several objects of `create` and `apply` come one after the other, each from a line that is a bracket alone.
  const values: readonly unknown[] = json.split(/^(?=\{$)/m).map((text): unknown => JSON.parse(text));
  return values.flatMap((value) =>
    typeof value === "object" && value !== null && "items" in value && Array.isArray(value.items)
      ? value.items
      : [value],
  );
}

function withoutTime(manifest: Manifest): Manifest {
  const { creationTimestamp: _time, ...metadata } = manifest.metadata;
  return { ...manifest, metadata } as Manifest;
}

/** What the core API and the Gateway API write where a person left it out. */
function asFilledIn(manifest: Manifest): Manifest {
  switch (manifest.kind) {
    case "Service": {
      const { spec } = manifest;
      const ports = spec.ports.map((port) => ({ protocol: "TCP" as const, targetPort: port.port, ...port }));
      return {
        ...manifest,
        spec: { type: "ClusterIP", sessionAffinity: "None", internalTrafficPolicy: "Cluster", ...spec, ports },
      };
    }
    case "HTTPRoute": {
      const everything = { path: { type: "PathPrefix" as const, value: "/" }, headers: [] };
      const rules = manifest.spec.rules.map((rule) => ({
        ...rule,
        matches: rule.matches.length === 0 ? [everything] : rule.matches.map((match) => ({ ...everything, ...match })),
      }));
      return { ...manifest, spec: { ...manifest.spec, rules } };
    }
    case "MeshConfig":
    case "Workload":
    case "AccessPolicy":
    case "AuditPolicy":
    case "TrafficPolicy":
      return manifest;
  }
}
