import { Resolver } from "node:dns/promises";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { answersOk } from "./answers-ok.ts";
import { ApiServer, type ApiServerOptions } from "./api-server.ts";
import { makeCertificates } from "./certificates.ts";
import { Component } from "./component.ts";
import { type Image, pauseImage } from "./images.ts";
import { kubeconfig } from "./kubeconfig.ts";
import type { Kubectl } from "./kubectl.ts";
import {
  cniConfig,
  containerdConfig,
  dnsManifest,
  kubeletConfig,
  proxyConfig,
  proxyHealthPort,
} from "./node-config.ts";
import { giveTemplate, importImages, takeTemplate } from "./node-images.ts";
import { builtProgram } from "./programs.ts";
import { Sandbox } from "./sandbox.ts";

const nodeName = "node1";

/** Where distributions and upstream put the CNI plugins. */
export const pluginFolders = ["/usr/lib/cni", "/opt/cni/bin"];

export interface NodeOptions extends ApiServerOptions {
  /** Put on the node before it is ready; pods name them with imagePullPolicy Never. */
  readonly images: readonly Image[];
  /** Its number among the test nodes of this machine. Default: the first that is free. */
  readonly index?: number | undefined;
}

const always = (): Promise<boolean> => Promise.resolve(true);

/** A whole cluster of one node on this machine, in namespaces of its own. Needs root. */
export class Node implements AsyncDisposable {
  readonly directory: string;
  /** This machine's address on the wire to the node: the API server and pods reach what listens there. */
  readonly hostAddress: string;
  readonly nodeAddress: string;
  readonly kubelet: Component;
  readonly containerd: Component;
  readonly #sandbox: Sandbox;
  readonly #server: ApiServer;
  readonly #rest: readonly Component[];

  /** Of a directory that holds certificates and kubeconfigs. */
  constructor(sandbox: Sandbox) {
    const { directory, addresses, enter } = sandbox;
    const file = (name: string) => join(directory, name);
    const hkube = builtProgram("hkube");
    const part = (name: string, command: readonly [string, ...string[]], ready: () => Promise<boolean> = always) =>
      new Component({ name, command, ready, within: enter, logFile: file(`log/${name}.log`) });
    this.directory = directory;
    this.hostAddress = addresses.host;
    this.nodeAddress = addresses.node;
    this.#sandbox = sandbox;
    this.#server = new ApiServer(directory, {
      address: addresses.node,
      ports: { api: 6443, etcd: 2379, etcdPeers: 2380, etcdHealth: 2381 },
      within: enter,
      apiServerFlags: ["--bind-address=0.0.0.0", `--kubelet-certificate-authority=${file("ca.crt")}`],
    });
    this.containerd = part("containerd", ["containerd", `--config=${file("containerd.toml")}`], () =>
      sandbox.run("ctr", ["version"]).then(() => true),
    );
    this.kubelet = part(
      "kubelet",
      [
        hkube,
        "kubelet",
        `--config=${file("kubelet.json")}`,
        `--kubeconfig=${file("node.kubeconfig")}`,
        `--hostname-override=${nodeName}`,
        `--node-ip=${addresses.node}`,
      ],
      async () => {
        const ready = '{.status.conditions[?(@.type=="Ready")].status}';
        return (await this.kubectl(["get", "node", nodeName, "-o", `jsonpath=${ready}`])) === "True";
      },
    );
    const asAdmin = ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"];
    const scheduler = asAdmin.map((flag) => `--${flag}=${this.kubeconfig}`);
    const dns = [join(import.meta.dirname, "dns/main.ts"), directory, `https://${addresses.node}:6443`, addresses.node];
    this.#rest = [
      part("kube-scheduler", [
        hkube,
        "kube-scheduler",
        ...scheduler,
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
      ]),
      part(
        "kube-proxy",
        [hkube, "kube-proxy", `--config=${file("proxy.json")}`, `--hostname-override=${nodeName}`],
        () => answersOk(`http://${addresses.node}:${proxyHealthPort}/healthz`),
      ),
      part("dns", [process.execPath, ...dns], async () => {
        const resolver = new Resolver({ timeout: 1_000, tries: 1 });
        resolver.setServers([addresses.node]);
        return (await resolver.resolve4("kubernetes.default.svc.cluster.local")).length === 1;
      }),
    ];
  }

  get kubeconfig(): string {
    return this.#server.kubeconfig;
  }

  get kubectl(): Kubectl {
    return this.#server.kubectl;
  }

  get apiServer(): Component {
    return this.#server.apiServer;
  }

  get etcd(): Component {
    return this.#server.etcd;
  }

  get controllerManager(): Component {
    return this.#server.controllerManager;
  }

  /** Its number among the test nodes of this machine. */
  get index(): number {
    return this.#sandbox.addresses.index;
  }

  /** Runs a command on the node to its end. */
  run(command: string, args: readonly string[]): Promise<string> {
    return this.#sandbox.run(command, args);
  }

  /** Puts images on the node; one of a name that is there takes its place for pods that start afterwards. */
  async load(images: readonly Image[]): Promise<void> {
    await importImages(this.#sandbox, images);
  }

  /** Starts everything and awaits that pods can be made. */
  async start(
    images: readonly Image[],
    { progress, signal }: Pick<ApiServerOptions, "progress" | "signal">,
  ): Promise<void> {
    const containers = async () => {
      const root = join(this.directory, "containerd");
      await takeTemplate(root);
      await this.containerd.start(signal);
      progress?.("images");
      if (!(await importImages(this.#sandbox, [pauseImage(), ...images]))) return;
      // Nothing may be written while it is copied.
      await this.containerd.stop();
      await giveTemplate(root);
      await this.containerd.start(signal);
    };
    await Promise.all([containers(), this.#server.start({ progress, signal })]);
    progress?.("kubelet");
    for (const component of [this.kubelet, ...this.#rest]) component.spawn();
    await this.kubectl(["apply", "-f", "-"], dnsManifest(this.#sandbox.addresses));
    for (const component of [this.controllerManager, this.kubelet, ...this.#rest]) await component.ready(signal);
  }

  /** Ends it and removes all but its logs, from this machine as well. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sandbox[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
    removeData(this.directory);
  }
}

function removeData(directory: string): void {
  for (const name of ["containerd", "kubelet", "pods"]) rmSync(join(directory, name), { recursive: true, force: true });
}

/** A cluster of one node, in about fifteen seconds. Throws where it cannot start, and leaves nothing then. */
export async function startNode({ directory, images, index, progress, signal }: NodeOptions): Promise<Node> {
  mkdirSync(directory, { recursive: true });
  removeData(directory);
  progress?.("a node's namespaces");
  const sandbox = await Sandbox.start({ directory, hostname: nodeName, index });
  try {
    const { addresses } = sandbox;
    await makeCertificates(directory, [addresses.node], { name: nodeName, address: addresses.node });
    const write = (name: string, text: string) => writeFileSync(join(directory, name), text, { mode: 0o600 });
    const server = `https://${addresses.node}:6443`;
    const plugins = pluginFolders.find((folder) => existsSync(join(folder, "bridge")));
    if (plugins === undefined) throw new Error(`no CNI plugins in ${pluginFolders.join(" or ")}`);
    write("kubeconfig", kubeconfig(directory, server, "admin"));
    write("node.kubeconfig", kubeconfig(directory, server, "node"));
    write("cni/pods.conflist", cniConfig(addresses));
    write("containerd.toml", containerdConfig(directory, plugins, pauseImage().name));
    write("kubelet.json", kubeletConfig(directory, addresses));
    write("proxy.json", proxyConfig(join(directory, "kubeconfig"), addresses));
    // What pods inherit besides the cluster's own; the machine's resolver may be out of their reach.
    write("resolv.conf", "nameserver 10.96.0.10\n");
    const node = new Node(sandbox);
    await node.start(images, { progress, signal });
    return node;
  } catch (error) {
    await sandbox[Symbol.asyncDispose]();
    removeData(directory);
    throw error;
  }
}
