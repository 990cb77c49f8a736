import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Api, gatewayCrds, startApiServer } from "@hedgerow/e2e";

const crds = join(import.meta.dirname, "../../../manifests/crds");
const run = promisify(execFile);

export const trustDomain = "bank.example";

const meshConfig = {
  apiVersion: "hedgerow.dev/v1alpha1",
  kind: "MeshConfig",
  metadata: { name: "mesh", namespace: "hedgerow-system" },
  spec: { trustDomain },
};

export interface Cluster extends AsyncDisposable {
  readonly kubeconfig: string;
  readonly api: Api;
  /** Standard output; `input` is given on standard input. */
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>;
  /** Nobody removes pods of nodes that do not exist, or makes EndpointSlices of its own, from now on. */
  readonly stopControllers: () => Promise<void>;
}

/** An API server with our CRDs and a MeshConfig, and no node. */
export async function startCluster(directory: string, signal: AbortSignal): Promise<Cluster> {
  await using starting = new AsyncDisposableStack();
  const server = starting.use(await startApiServer({ directory, signal }));
  const { kubeconfig } = server;
  const kubectl = async (args: readonly string[], input = "") => {
    const running = run("kubectl", ["--kubeconfig", kubeconfig, ...args], { signal });
    running.child.stdin?.end(input);
    return (await running).stdout;
  };
  await kubectl(["apply", "--server-side", "-f", await gatewayCrds()]);
  await kubectl(["apply", "-k", crds]);
  await kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
  await kubectl(["create", "namespace", "hedgerow-system"]);
  const api = starting.use(new Api(kubeconfig));
  await api.call("POST", "/apis/hedgerow.dev/v1alpha1/namespaces/hedgerow-system/meshconfigs", meshConfig);
  const owned = starting.move();
  return {
    kubeconfig,
    api,
    kubectl,
    stopControllers: () => server.controllerManager.kill(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The root of the mesh, PEM: the last certificate of the chain that the control plane keeps in its Secret. */
export async function meshRoot({ kubectl }: Pick<Cluster, "kubectl">): Promise<string> {
  const encoded = await kubectl([
    "-n",
    "hedgerow-system",
    "get",
    "secret",
    "hedgerow-ca",
    "-o",
    "jsonpath={.data.ca\\.pem}",
  ]);
  const pem = Buffer.from(encoded, "base64").toString();
  return pem.slice(pem.indexOf("-----BEGIN CERTIFICATE-----"));
}
