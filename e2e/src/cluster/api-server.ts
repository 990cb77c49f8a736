import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../mesh/ports.ts";
import { answersOk } from "./answers-ok.ts";
import { makeCertificates } from "./certificates.ts";
import { Component } from "./component.ts";
import { kubeconfig } from "./kubeconfig.ts";
import { type Kubectl, kubectlFor } from "./kubectl.ts";
import { builtProgram } from "./programs.ts";

export interface ApiServerOptions {
  /** A directory of its own; made if absent. Logs stay in it, data does not. */
  readonly directory: string;
  /** Told of each step, for a person who waits. */
  readonly progress?: ((step: string) => void) | undefined;
  /** Gives up: what was started is ended, and the signal's reason thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Where the parts of a control plane stand and listen. */
export interface Placement {
  /** Where clients reach the API server. */
  readonly address: string;
  readonly ports: {
    readonly api: number;
    readonly etcd: number;
    readonly etcdPeers: number;
    readonly etcdHealth: number;
  };
  /** What runs a command in a node's namespaces. */
  readonly within?: readonly string[];
  /** What else the API server is told. */
  readonly apiServerFlags: readonly string[];
}

/** etcd, kube-apiserver and kube-controller-manager as processes of this machine; its clients may do anything. */
export class ApiServer implements AsyncDisposable {
  readonly directory: string;
  /** The path of a kubeconfig of the group system:masters; no file but itself is needed to use it. */
  readonly kubeconfig: string;
  readonly host: string;
  readonly port: number;
  readonly kubectl: Kubectl;
  /** kube-apiserver alone, for outages: stopped and started again it keeps its port, and its data in etcd. */
  readonly apiServer: Component;
  /** etcd alone. Its data outlive it until the disposal. */
  readonly etcd: Component;
  readonly controllerManager: Component;

  /** Of a directory that holds certificates and the kubeconfig. */
  constructor(directory: string, { address, ports, within, apiServerFlags }: Placement) {
    const hkube = builtProgram("hkube");
    const file = (name: string) => join(directory, name);
    const logFile = (name: string) => file(`log/${name}.log`);
    this.directory = directory;
    this.kubeconfig = file("kubeconfig");
    this.host = address;
    this.port = ports.api;
    this.kubectl = kubectlFor(directory, this.kubeconfig);
    const clients = `http://127.0.0.1:${ports.etcd}`;
    const peers = `http://127.0.0.1:${ports.etcdPeers}`;
    this.etcd = new Component({
      name: "etcd",
      within,
      logFile: logFile("etcd"),
      command: [
        hkube,
        "etcd",
        "--name=only",
        `--data-dir=${file("etcd")}`,
        // What a killed process wrote is in the kernel; a power cut is nobody's concern here.
        "--unsafe-no-fsync",
        "--log-level=warn",
        `--listen-client-urls=${clients}`,
        `--advertise-client-urls=${clients}`,
        `--listen-peer-urls=${peers}`,
        `--initial-advertise-peer-urls=${peers}`,
        `--initial-cluster=only=${peers}`,
        `--listen-metrics-urls=http://${address}:${ports.etcdHealth}`,
      ],
      ready: () => answersOk(`http://${address}:${ports.etcdHealth}/readyz`),
    });
    this.apiServer = new Component({
      name: "kube-apiserver",
      within,
      logFile: logFile("kube-apiserver"),
      command: [
        hkube,
        "kube-apiserver",
        `--etcd-servers=${clients}`,
        `--advertise-address=${address}`,
        `--secure-port=${ports.api}`,
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=Node,RBAC",
        `--client-ca-file=${file("ca.crt")}`,
        `--tls-cert-file=${file("apiserver.crt")}`,
        `--tls-private-key-file=${file("apiserver.key")}`,
        "--service-account-issuer=https://kubernetes.default.svc",
        `--service-account-key-file=${file("sa.pub")}`,
        `--service-account-signing-key-file=${file("sa.key")}`,
        "--allow-privileged=true",
        "--enable-admission-plugins=NodeRestriction",
        "--profiling=false",
        `--kubelet-client-certificate=${file("admin.crt")}`,
        `--kubelet-client-key=${file("admin.key")}`,
        "--kubelet-preferred-address-types=InternalIP",
        ...apiServerFlags,
      ],
      ready: () => this.answers("/readyz"),
    });
    this.controllerManager = new Component({
      name: "kube-controller-manager",
      within,
      logFile: logFile("kube-controller-manager"),
      command: [
        hkube,
        "kube-controller-manager",
        `--kubeconfig=${this.kubeconfig}`,
        "--bind-address=127.0.0.1",
        // It serves nobody; port 0 would be refused together with a bind address of this kind.
        "--secure-port=0",
        `--service-account-private-key-file=${file("sa.key")}`,
        `--root-ca-file=${file("ca.crt")}`,
        `--cluster-signing-cert-file=${file("ca.crt")}`,
        `--cluster-signing-key-file=${file("ca.key")}`,
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--profiling=false",
      ],
      // The sign that it works: pods cannot be made before.
      ready: () => this.answers("/api/v1/namespaces/default/serviceaccounts/default"),
    });
  }

  /** True where the API server answers the path with 200, asked as an administrator. */
  answers(path: string): Promise<boolean> {
    return answersOk(`https://${this.host}:${this.port}${path}`, {
      ca: readFileSync(join(this.directory, "ca.crt")),
      cert: readFileSync(join(this.directory, "admin.crt")),
      key: readFileSync(join(this.directory, "admin.key")),
    });
  }

  /** Starts all three with no data, and awaits that the API server serves. */
  async start({ progress, signal }: Pick<ApiServerOptions, "progress" | "signal"> = {}): Promise<void> {
    this.#removeData();
    progress?.("etcd");
    await this.etcd.start(signal);
    progress?.("kube-apiserver");
    await this.apiServer.start(signal);
    progress?.("kube-controller-manager");
    this.controllerManager.spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.controllerManager, this.apiServer, this.etcd].map((component) => component.kill()));
    this.#removeData();
  }

  #removeData(): void {
    rmSync(join(this.directory, "etcd"), { recursive: true, force: true });
  }
}

/** A control plane without nodes, on free ports of 127.0.0.1, in about eight seconds. Needs no rights. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { directory, progress } = options;
  mkdirSync(join(directory, "log"), { recursive: true });
  progress?.("certificates");
  await makeCertificates(directory, []);
  const [api, etcd, etcdPeers, etcdHealth] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  writeFileSync(join(directory, "kubeconfig"), kubeconfig(directory, `https://127.0.0.1:${api}`, "admin"), {
    mode: 0o600,
  });
  const server = new ApiServer(directory, {
    address: "127.0.0.1",
    ports: { api, etcd, etcdPeers, etcdHealth },
    apiServerFlags: [
      "--bind-address=127.0.0.1",
      // An endpoint on a loopback address is not allowed, and nobody looks for one here.
      "--endpoint-reconciler-type=none",
      // No kube-proxy: a webhook's Service is reached at its endpoints.
      "--enable-aggregator-routing=true",
    ],
  });
  try {
    await server.start(options);
    await server.controllerManager.ready(options.signal);
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}
