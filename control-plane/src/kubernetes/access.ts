import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ControlPlaneError, messageOf } from "../errors.ts";
import { type KubernetesAccess, readKubeconfig } from "./kubeconfig.ts";

export type { KubernetesAccess } from "./kubeconfig.ts";

/** Where Kubernetes puts a pod's credentials. */
const mounted = "/var/run/secrets/kubernetes.io/serviceaccount";
/** A kubeconfig with a hundred clusters has a third of it. */
const maxKubeconfigBytes = 1_048_576;

/**
 * How to reach the API server: from within a pod, or by the path of a kubeconfig. Error KUBECONFIG_INVALID: the kubeconfig
 * cannot be read or used; NOT_IN_CLUSTER: this is no pod with a service account.
 */
export async function readAccess(
  setting: "in-cluster" | (string & {}),
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<KubernetesAccess> {
  if (setting === "in-cluster") return inCluster(env);
  let text: string;
  try {
    const { size } = await stat(setting);
    if (size > maxKubeconfigBytes) throw new Error(`more than ${maxKubeconfigBytes} bytes`);
    text = await readFile(setting, "utf8");
  } catch (error) {
    throw new ControlPlaneError("KUBECONFIG_INVALID", `cannot read kubeconfig ${setting}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return readKubeconfig(text, (path) => resolve(dirname(setting), path));
}

function inCluster(env: Readonly<Record<string, string | undefined>>): KubernetesAccess {
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = Number(env["KUBERNETES_SERVICE_PORT"]);
  if (host === undefined || host === "" || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new ControlPlaneError(
      "NOT_IN_CLUSTER",
      "cannot find the API server: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, as they are in a pod",
    );
  return {
    host,
    port,
    pathPrefix: "",
    serverName: undefined,
    ca: { kind: "file", path: `${mounted}/ca.crt` },
    credentials: { kind: "token", token: { kind: "file", path: `${mounted}/token` } },
  };
}
