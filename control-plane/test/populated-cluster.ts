// A cluster as large as one mesh is meant to be, without a controller or a kubelet that would have a say in it.
import type { KubernetesClient } from "../src/kubernetes/client.ts";

const podsPerService = 5;
const servicesPerNamespace = 50;
const nodes = 50;
/** Of one request: the API server has all of the machine's load. */
const timeoutMs = 120_000;

/** Services with five pods, a slice and a namespace for fifty of them; about 12 kB of JSON a pod, as injected ones have. */
export async function populate(client: KubernetesClient, services: number): Promise<void> {
  const post = (path: string, body: unknown) => client.request("POST", path, { body, timeoutMs });
  const indices = Array.from({ length: services }, (_, index) => index);
  await each([...new Set(indices.map(namespaceOf))], async (name) => {
    await post("/api/v1/namespaces", { metadata: { name } });
    await post(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: "default" } });
  });
  await each(indices, async (index) => {
    const core = `/api/v1/namespaces/${namespaceOf(index)}`;
    const name = `svc-${index}`;
    await post(`${core}/services`, {
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ name: "grpc", port: 80, targetPort: 8080 }] },
    });
    for (const pod of podsOf(index)) {
      await post(`${core}/pods`, pod.object);
      await client.request("PATCH", `${core}/pods/${pod.name}/status`, {
        contentType: "application/merge-patch+json",
        body: { status: pod.status },
        timeoutMs,
      });
    }
    const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespaceOf(index)}/endpointslices`;
    await post(slices, sliceOf(index));
  });
}

export function namespaceOf(service: number): string {
  return `team-${Math.floor(service / servicesPerNamespace)}`;
}

/** The slice of a Service, `ready` or not. */
export function sliceOf(service: number, ready = true): unknown {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `svc-${service}-abcde`, labels: { "kubernetes.io/service-name": `svc-${service}` } },
    addressType: "IPv4",
    ports: [{ name: "grpc", port: 8080, protocol: "TCP" }],
    endpoints: podsOf(service).map(({ name, status, node }) => ({
      addresses: [status.podIP],
      conditions: { ready, serving: ready, terminating: false },
      nodeName: node,
      targetRef: { kind: "Pod", name, namespace: namespaceOf(service) },
    })),
  };
}

function podsOf(service: number) {
  return Array.from({ length: podsPerService }, (_, index) => {
    const number = service * podsPerService + index;
    const name = `svc-${service}-5d8f9c7b6-${index}xyz`;
    const node = `node-${number % nodes}`;
    const podIP = `10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
    const object = {
      metadata: {
        name,
        labels: { app: `svc-${service}`, "hedgerow.dev/mesh": "true", "pod-template-hash": "5d8f9c7b6" },
        annotations: { "hedgerow.dev/drain": "10s", "hedgerow.dev/status": JSON.stringify({ pad: "x".repeat(300) }) },
      },
      spec: {
        nodeName: node,
        initContainers: [{ ...container("hedgerow-proxy"), restartPolicy: "Always" }],
        containers: [{ ...container("app"), ports: [{ name: "grpc", containerPort: 8080 }] }],
      },
    };
    const running = {
      name: "app",
      ready: true,
      started: true,
      restartCount: 0,
      image: "registry.example/app:1",
      imageID: `sha256:${"a".repeat(64)}`,
      containerID: `containerd://${"b".repeat(64)}`,
      state: { running: { startedAt: "2026-11-24T14:10:24Z" } },
    };
    const conditions = [{ type: "Ready", status: "True" }];
    return { name, node, object, status: { phase: "Running", podIP, conditions, containerStatuses: [running] } };
  });
}

function container(name: string) {
  return {
    name,
    image: `registry.example/${name}:1`,
    env: Array.from({ length: 12 }, (_, index) => ({ name: `SETTING_${index}`, value: "a value of a usual length" })),
    resources: { requests: { cpu: "100m", memory: "128Mi" } },
    readinessProbe: { httpGet: { path: "/readyz", port: 8080 } },
    livenessProbe: { httpGet: { path: "/healthz", port: 8080 } },
    securityContext: { runAsNonRoot: true, capabilities: { drop: ["ALL"] } },
  };
}

/** As many at once as an API server without limits for us takes well. */
async function each<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      for (const item of rest) await act(item);
    }),
  );
}
