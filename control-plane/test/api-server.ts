// A real API server, and ways to lose it.
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { pino } from "pino";
import { startApiServer as startServer } from "../../scripts/testing/api-server.js";
import { readAccess } from "../src/kubernetes/access.ts";
import { KubernetesClient } from "../src/kubernetes/client.ts";
import type { KubernetesAccess } from "../src/kubernetes/kubeconfig.ts";

export interface TestApiServer extends AsyncDisposable {
  readonly kubeconfig: string;
  /** Path of the Gateway API's standard CRDs, as one manifest. */
  readonly gatewayCrds: string;
  readonly access: KubernetesAccess;
  /** As an administrator. */
  readonly client: KubernetesClient;
  /** What kubectl prints. */
  readonly kubectl: (args: readonly string[], stdin?: string) => Promise<string>;
}

/** etcd, API server and controllers, without a node; in about eight seconds. */
export async function startApiServer(): Promise<TestApiServer> {
  const server = await startServer();
  const { kubeconfig, gatewayCrds } = server;
  const access = await readAccess(kubeconfig);
  const client = new KubernetesClient(access, { logger: pino({ enabled: false }) });
  return {
    kubeconfig,
    gatewayCrds,
    access,
    client,
    kubectl: async (args, stdin) => {
      const { code, stdout, stderr } = await server.kubectl(args, stdin);
      if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
      return stdout;
    },
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** CustomResourceDefinitions of Hedgerow and of the Gateway API, and those of a kind only once the API server serves it. */
export async function installKinds({ kubectl, gatewayCrds }: TestApiServer): Promise<void> {
  await kubectl(["apply", "--server-side", "-k", join(import.meta.dirname, "../../manifests/crds")]);
  await kubectl(["apply", "--server-side", "-f", gatewayCrds]);
  await kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
}

/** A wire to the API server that can be cut: what is sent then goes nowhere and is not answered. */
export interface Wire extends AsyncDisposable {
  readonly access: KubernetesAccess;
  cut(): void;
  mend(): void;
}

export async function wireTo(access: KubernetesAccess): Promise<Wire> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((socket) => {
    const upstream = connect(access.port, access.host);
    for (const one of [socket, upstream]) {
      sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        sockets.delete(one);
        socket.destroy();
        upstream.destroy();
      });
    }
    socket.on("data", (chunk) => void (isCut || upstream.write(chunk)));
    upstream.on("data", (chunk) => void (isCut || socket.write(chunk)));
  });
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" ? (address?.port ?? 0) : 0);
    }),
  );
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    access: { ...access, host: "127.0.0.1", port, serverName: access.serverName ?? "localhost" },
    cut() {
      isCut = true;
    },
    mend() {
      // What was swallowed leaves the connections of before useless.
      isCut = false;
      drop();
    },
    async [Symbol.asyncDispose]() {
      drop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
