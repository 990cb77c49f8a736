import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startApiServer, type TestApiServer } from "../../../scripts/testing/api-server.js";
import { fieldAt, textAt } from "../check/fields.ts";
import type { Finding } from "../check/finding.ts";
import { makeCertificate } from "../testing/certificates.ts";
import { runHere } from "../testing/run-here.ts";

const manifests = fileURLToPath(new URL("../../../manifests", import.meta.url));
let server: TestApiServer;

beforeAll(async () => {
  server = await startApiServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** A command line that finds the cluster, at the time that it is. */
function hedgerow(...args: string[]) {
  return runHere(args, { env: server.env, nowMs: Date.now() });
}

async function kubectl(args: readonly string[], stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await server.kubectl(args, stdin);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

async function findings(): Promise<readonly string[]> {
  const { stdout, stderr } = await hedgerow("check", "-o", "json");
  expect(stderr).toBe("");
  const answer = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
  return answer.findings.map(({ check, level, message }) => `${level} ${check}: ${message}`);
}

describe("hedgerow check, of a real API server", () => {
  it("says what is missing where nothing is installed", async () => {
    const { code, stdout } = await hedgerow("check");
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^✓ API server v1\.\d+\.\d+\n✗ meshconfigs\.hedgerow\.dev is not installed\n {4}→ kubectl apply/,
    );
    expect(stdout).toContain("✗ there is no Deployment hedgerow-system/control-plane\n");
    expect(stdout).toContain("✓ the clocks agree\n");
    expect(stdout).toMatch(/\n✗ \d+ checks, \d+ failed, \d+ to look at\n$/);
  });

  it("knows its own definitions, as an API server gives them back", async () => {
    await kubectl(["apply", "--server-side", "-f", server.gatewayCrds]);
    await kubectl(["apply", "--server-side", "-k", join(manifests, "crds")]);
    await kubectl(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]);
    const found = await findings();
    expect(found).toContain("good definitions: 5 kinds of Hedgerow's are installed and current");
    expect(found).toContainEqual(expect.stringMatching(/^good gateway-api: Gateway API v1\./));
    // Neither webhook is there: what they would have refused and changed is as the API server alone has it.
    await kubectl(["create", "namespace", "hedgerow-system"]);
    const unguarded = await findings();
    expect(unguarded).toContain("bad validation: an AccessPolicy with a mistake in it was let through");
    expect(unguarded).toContain("bad injection-webhook: a pod that asks for a sidecar gets none");
    expect(await kubectl(["get", "accesspolicies,pods", "--all-namespaces", "-o", "name"])).toBe("");
  });

  it("tells pods that are older than their namespace's label from those that were missed", async () => {
    const pod = (name: string) =>
      JSON.stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "fraud" },
        spec: { containers: [{ name: "app", image: "app" }] },
      });
    await kubectl(["create", "namespace", "fraud"]);
    await kubectl(["create", "-f", "-"], pod("older"));
    await kubectl(["label", "namespace", "fraud", "hedgerow.dev/injection=enabled"]);
    const labelled = await labelTime();
    // Times are whole seconds: the next pod must not bear the label's.
    await expect
      .poll(
        async () => {
          await kubectl(["create", "namespace", "tick"]);
          const created = await kubectl(["get", "namespace", "tick", "-o", "jsonpath={.metadata.creationTimestamp}"]);
          await kubectl(["delete", "namespace", "tick", "--wait"]);
          return Date.parse(created) > labelled;
        },
        { timeout: 60_000 },
      )
      .toBe(true);
    await kubectl(["create", "-f", "-"], pod("missed"));
    const found = await findings();
    expect(found).toContain("good injection: namespace fraud in the mesh");
    expect(found).toContain(
      "doubtful injection: without a sidecar, for they are older than the namespace's label: fraud/older",
    );
    expect(found).toContain("bad injection: without a sidecar, though created under the label: fraud/missed");
    expect(found).toContain("doubtful mtls: pods take plain text: fraud");
  });

  it("sees webhooks at work, and webhooks that cannot be reached", async () => {
    const directory = mkdtempSync(join(tmpdir(), "hedgerow-webhook-"));
    const { cert, key } = makeCertificate(directory, "webhook", "IP:127.0.0.1");
    const certificate = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
    const webhook = createServer(certificate, (request, response) => {
      void json(request).then((review) => {
        const uid = textAt(review, "request", "uid");
        const status = { message: `unknown field: ${String(fieldAt(review, "request", "object", "spec", "mistake"))}` };
        const body = {
          apiVersion: "admission.k8s.io/v1",
          kind: "AdmissionReview",
          response: { uid, allowed: false, status },
        };
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
    const { port } = webhook.address() as AddressInfo;
    try {
      const configuration = {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingWebhookConfiguration",
        metadata: { name: "hedgerow-default" },
        webhooks: [
          {
            name: "policy.validate.hedgerow.dev",
            rules: [
              {
                operations: ["CREATE"],
                apiGroups: ["hedgerow.dev"],
                apiVersions: ["v1alpha1"],
                resources: ["accesspolicies"],
              },
            ],
            clientConfig: {
              url: `https://127.0.0.1:${port}/validate`,
              caBundle: Buffer.from(certificate.cert).toString("base64"),
            },
            admissionReviewVersions: ["v1"],
            sideEffects: "None",
          },
        ],
      };
      await kubectl(["apply", "-f", "-"], JSON.stringify(configuration));
      await expect
        .poll(findings, { timeout: 30_000 })
        .toContain("good validation: the API server reaches the validating webhook");
      const found = await findings();
      expect(found).toContainEqual(
        expect.stringMatching(/^(doubtful|good) certificate-authority: trust root [0-9a-f]{12}… /),
      );
      expect(found).toContainEqual(
        expect.stringMatching(/^bad webhooks: not led to Service hedgerow-system\/control-plane/),
      );
    } finally {
      webhook.closeAllConnections();
      webhook.close();
      rmSync(directory, { recursive: true });
    }
    expect(await findings()).toContainEqual(
      expect.stringMatching(
        /^bad validation: the API server does not reach the validating webhook: Post .*connection refused/,
      ),
    );
  });

  it("looks as far as its rights go", async () => {
    const kubeconfig = join(tmpdir(), `hedgerow-nobody-${process.pid}`);
    const text = readFileSync(server.kubeconfig, "utf8");
    writeFileSync(kubeconfig, text.replace(/^( *)client-certificate-data:/m, "$1as: nobody\n$&"));
    try {
      const { code, stdout } = await runHere(["check"], {
        env: { ...server.env, KUBECONFIG: kubeconfig },
        nowMs: Date.now(),
      });
      expect(code).toBe(0);
      expect(stdout).toMatch(/! could not look at the control plane: .*forbidden.*\n {4}→ look with more rights\n/);
    } finally {
      rmSync(kubeconfig);
    }
  });

  it("says so where there is no cluster, no context and no kubectl", async () => {
    const nowhere = await runHere(["check"], { env: { ...server.env, KUBECONFIG: "/dev/null" } });
    expect([nowhere.code, nowhere.stderr]).toEqual([
      3,
      expect.stringMatching(/^hedgerow: could not reach the cluster: /),
    ]);
    const { code, stderr } = await hedgerow("check", "--context", "prod");
    expect([code, stderr]).toEqual([3, expect.stringContaining('context "prod" does not exist')]);
  });
});

async function labelTime(): Promise<number> {
  const namespace: unknown = JSON.parse(
    await kubectl(["get", "namespace", "fraud", "-o", "json", "--show-managed-fields"]),
  );
  const entries = fieldAt(namespace, "metadata", "managedFields");
  const times = (Array.isArray(entries) ? entries : []).map((entry) => Date.parse(textAt(entry, "time") ?? ""));
  return Math.max(...times);
}
