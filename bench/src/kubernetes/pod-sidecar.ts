import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, Part } from "@hedgerow/e2e";
import { envoyPath } from "../../../scripts/envoy-path.js";

export interface PodSidecar {
  readonly part: Part;
  readonly adminSocket: string;
}

/** The agent and Envoy of a pod that is in the API server alone, on this machine, with the pod's own token. */
export async function startPodSidecar(options: {
  readonly directory: string;
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly pod: string;
  readonly enroll: string;
  readonly mesh: string;
  readonly trustDomain: string;
  /** PEM. */
  readonly root: string;
}): Promise<PodSidecar> {
  const { directory, kubeconfig, namespace, pod, enroll, mesh, trustDomain, root } = options;
  const run = join(directory, "run");
  mkdirSync(run, { recursive: true });
  const bound = ["--bound-object-kind", "Pod", "--bound-object-name", pod, "--audience", "hedgerow-enroll"];
  const token = execFileSync("kubectl", [
    "--kubeconfig",
    kubeconfig,
    "-n",
    namespace,
    "create",
    "token",
    "default",
    ...bound,
  ]);
  const tokenFile = join(directory, "token");
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const env = {
    HEDGEROW_ENROLL: enroll,
    HEDGEROW_MESH: mesh,
    HEDGEROW_TOKEN_FILE: tokenFile,
    HEDGEROW_NODE_ID: `${namespace}/${pod}`,
    HEDGEROW_TRUST_DOMAIN: trustDomain,
    HEDGEROW_ROOT_DIGESTS: createHash("sha256").update(new X509Certificate(root).raw).digest("hex"),
    HEDGEROW_RUN: run,
    HEDGEROW_METRICS_LISTEN: `127.0.0.1:${await freePort()}`,
    HEDGEROW_ENVOY_CONCURRENCY: "1",
    ENVOY_BIN: envoyPath(),
  };
  const part = new Part(`${pod} agent`, "sidecar/src/main.ts", env, join(directory, "agent.log"));
  part.start();
  return { part, adminSocket: join(run, "envoy-admin.sock") };
}
