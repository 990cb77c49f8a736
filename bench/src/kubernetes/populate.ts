import type { Api } from "@hedgerow/e2e";

export interface Size {
  readonly services: number;
  readonly podsPerService: number;
}

const servicesPerNamespace = 50;

const namespaceOf = (service: number): string => `team-${Math.floor(service / servicesPerNamespace)}`;

/** 10.x.y.z, distinct for each pod, far from where services have their addresses. */
function addressOf(pod: number): string {
  return `10.${128 + (pod >> 16)}.${(pod >> 8) & 255}.${pod & 255}`;
}

/** A pod as an operator writes it; `meshed`: as the injector leaves it, in what a control plane reads of it. */
export function podOf(service: number, index: number, meshed: boolean): unknown {
  const container = (name: string) => ({
    name,
    image: `registry.example/${name}:1`,
    env: Array.from({ length: 12 }, (_, entry) => ({ name: `SETTING_${entry}`, value: "a value of a usual length" })),
    resources: { requests: { cpu: "100m", memory: "128Mi" } },
  });
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `svc-${service}-5d8f9c7b6-${index}`,
      labels: {
        app: `svc-${service}`,
        ...(meshed ? { "hedgerow.dev/mesh": "true" } : {}),
        "pod-template-hash": "5d8f9c7b6",
      },
      annotations: { "prometheus.io/scrape": "true", "prometheus.io/port": "9090" },
    },
    spec: {
      nodeName: `node-${index}`,
      terminationGracePeriodSeconds: 30,
      initContainers: meshed ? [{ ...container("hedgerow-proxy"), restartPolicy: "Always" }] : [],
      containers: [{ ...container("app"), ports: [{ name: "grpc", containerPort: 8080 }] }],
    },
  };
}

/**
 * Namespaces, pods with a sidecar and an address, Services and their EndpointSlices, as a cluster full of predictors has them.
 * No controller and no kubelet has a part in it.
 */
export async function populate(
  api: Api,
  { services, podsPerService }: Size,
  log: (line: string) => void,
): Promise<void> {
  const indices = Array.from({ length: services }, (_, service) => service);
  const names = [...new Set(indices.map(namespaceOf))];
  await api.all(names, async (name) => {
    await api.call("POST", "/api/v1/namespaces", { metadata: { name, labels: { "hedgerow.dev/mtls": "strict" } } });
    await api.call("POST", `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: "default" } });
  });
  await api.all(indices, async (service) => {
    const base = `/api/v1/namespaces/${namespaceOf(service)}`;
    const slices = base.replace("/api/v1", "/apis/discovery.k8s.io/v1");
    const name = `svc-${service}`;
    await api.call("POST", `${base}/services`, {
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ name: "grpc", port: 80, targetPort: 8080 }] },
    });
    const endpoints = [];
    for (let index = 0; index < podsPerService; index++) {
      const podIP = addressOf(service * podsPerService + index);
      const pod = (await api.call("POST", `${base}/pods`, podOf(service, index, true))) as {
        metadata: { name: string; uid: string };
      };
      const conditions = [{ type: "Ready", status: "True" }];
      const status = { phase: "Running", podIP, podIPs: [{ ip: podIP }], conditions };
      await api.call("PATCH", `${base}/pods/${pod.metadata.name}/status`, { status });
      const targetRef = {
        kind: "Pod",
        name: pod.metadata.name,
        namespace: namespaceOf(service),
        uid: pod.metadata.uid,
      };
      endpoints.push({ addresses: [podIP], conditions: { ready: true, serving: true, terminating: false }, targetRef });
    }
    await api.call("POST", `${slices}/endpointslices`, {
      metadata: { name: `${name}-abcde`, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: "grpc", port: 8080, protocol: "TCP" }],
      endpoints,
    });
    if (service % 100 === 99) log(`${service + 1} services, ${(service + 1) * podsPerService} pods`);
  });
}
