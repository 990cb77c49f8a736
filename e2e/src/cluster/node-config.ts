import { join } from "node:path";
import type { Addresses } from "./addresses.ts";

const dnsService = "10.96.0.10";
export const proxyHealthPort = 10_256;

/** Of the bridge to which pods are attached. */
export function cniConfig({ pods }: Addresses): string {
  const ipam = { type: "host-local", ranges: [[{ subnet: pods }]], routes: [{ dst: "0.0.0.0/0" }] };
  const plugins = [
    { type: "bridge", bridge: "cni0", isGateway: true, ipMasq: false, hairpinMode: true, promiscMode: false, ipam },
    { type: "portmap", capabilities: { portMappings: true } },
  ];
  return JSON.stringify({ cniVersion: "0.4.0", name: "pods", plugins });
}

/** `plugins`: the folder of the CNI plugins. */
export function containerdConfig(directory: string, plugins: string, pauseImage: string): string {
  return `version = 2
root = "${join(directory, "containerd")}"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Root in a container or a small machine may lack CAP_SYS_RESOURCE, without which no score can be lowered.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${plugins}"
    conf_dir = "/etc/cni/net.d"
`;
}

export function kubeletConfig(directory: string, { cgroup }: Addresses): string {
  const never = {
    "memory.available": "0%",
    "nodefs.available": "0%",
    "nodefs.inodesFree": "0%",
    "imagefs.available": "0%",
  };
  return JSON.stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    failCgroupV1: false,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroup}`,
    failSwapOn: false,
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    tlsCertFile: join(directory, "node.crt"),
    tlsPrivateKeyFile: join(directory, "node.key"),
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(directory, "ca.crt") },
    },
    authorization: { mode: "Webhook" },
    clusterDNS: [dnsService],
    clusterDomain: "cluster.local",
    resolvConf: join(directory, "resolv.conf"),
    // Images and disk are the machine's; it is not this kubelet's to tidy up.
    imageGCHighThresholdPercent: 100,
    evictionHard: never,
    enforceNodeAllocatable: [],
    nodeStatusUpdateFrequency: "5s",
  });
}

export function proxyConfig(kubeconfig: string, { pods, node }: Addresses): string {
  return JSON.stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    clusterCIDR: pods,
    healthzBindAddress: `${node}:${proxyHealthPort}`,
    clientConnection: { kubeconfig },
    nftables: { minSyncPeriod: "100ms" },
    // These would be the whole machine's.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  });
}

/** The Service by which pods ask for names, answered on the node itself. */
export function dnsManifest({ node }: Addresses): string {
  const metadata = { name: "kube-dns", namespace: "kube-system" };
  const ports = [{ name: "dns", port: 53, protocol: "UDP" }];
  const service = { apiVersion: "v1", kind: "Service", metadata, spec: { clusterIP: dnsService, ports } };
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": "kube-dns" } },
    addressType: "IPv4",
    ports,
    endpoints: [{ addresses: [node], conditions: { ready: true } }],
  };
  return JSON.stringify({ apiVersion: "v1", kind: "List", items: [service, slice] });
}
