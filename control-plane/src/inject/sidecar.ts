// What is put into a pod: capture at its start, the proxy beside it, and what the proxy needs.
import { TOKEN_AUDIENCE } from "../ca/token.ts";
import type { PodSettings } from "./annotations.ts";
import { type AuditStorage, auditEnvironment, auditMounts, auditVolumes } from "./audit-storage.ts";
import type { InjectionContext } from "./context.ts";
import {
  AGENT_PORT,
  INIT_CONTAINER,
  NO_TOKEN_VOLUME,
  PROXY_CONTAINER,
  PROXY_UID,
  RUN_VOLUME,
  TOKEN_VOLUME,
} from "./names.ts";
import type { AppProbes } from "./probes.ts";
import type { Fields } from "./shape.ts";

const RUN_DIRECTORY = "/run/hedgerow";
const TOKEN_DIRECTORY = "/var/run/secrets/hedgerow";
const TOKEN_SECONDS = 3_600;
/** Where Kubernetes mounts the API token of the service account, unless something is there. */
const API_TOKEN_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";
/** Sockets, the bootstrap and small state: logs go to standard output. */
const RUN_BYTES = "64Mi";

const NO_TOKEN: Fields = { name: NO_TOKEN_VOLUME, mountPath: API_TOKEN_DIRECTORY, readOnly: true };

export interface Injected {
  readonly context: InjectionContext;
  readonly settings: PodSettings;
  readonly audit: AuditStorage;
  readonly probes: AppProbes;
  readonly appMetricsUrl: string | undefined;
  /** False where the pod as a whole has resources: containers then share them. */
  readonly ownResources: boolean;
}

/** Redirects the pod's connections to the proxy, and ends. The only container with a capability, and it runs none of the pod's traffic. */
export function initContainer({ context, settings, ownResources }: Injected): Fields {
  return {
    name: INIT_CONTAINER,
    image: context.image,
    command: ["/opt/hedgerow/node_modules/.bin/node", "/opt/hedgerow/sidecar/src/capture/main.ts"],
    env: [{ name: "HEDGEROW_CAPTURE", value: inEnvironment(settings.capture) }],
    // Beside the proxy's own these cost nothing: what init containers ask for counts only where it is more.
    ...(ownResources ? { resources: resourcesOf(settings) } : {}),
    securityContext: {
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { add: ["NET_ADMIN"], drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [NO_TOKEN],
  };
}

/** Agent and Envoy, as a native sidecar: it is ready before the application starts, and ends after it. */
export function proxyContainer(injected: Injected): Fields {
  return {
    name: PROXY_CONTAINER,
    image: injected.context.image,
    command: ["/opt/hedgerow/sidecar/entrypoint.sh"],
    restartPolicy: "Always",
    ports: [{ name: "mesh-agent", containerPort: AGENT_PORT, protocol: "TCP" }],
    env: proxyEnvironment(injected),
    ...(injected.ownResources ? { resources: resourcesOf(injected.settings) } : {}),
    // The application starts when this has passed: ten minutes for a control plane that is not there yet.
    startupProbe: { ...probe("/startupz"), periodSeconds: 1, failureThreshold: 600 },
    readinessProbe: { ...probe("/readyz"), periodSeconds: 2, failureThreshold: 2 },
    // Killing a proxy cuts every connection of the pod: only an agent that has said nothing for a minute is.
    livenessProbe: { ...probe("/healthz"), periodSeconds: 10, failureThreshold: 6 },
    securityContext: {
      runAsUser: PROXY_UID,
      runAsGroup: PROXY_UID,
      runAsNonRoot: true,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [
      { name: RUN_VOLUME, mountPath: RUN_DIRECTORY },
      { name: TOKEN_VOLUME, mountPath: TOKEN_DIRECTORY, readOnly: true },
      NO_TOKEN,
      ...auditMounts(injected.audit),
    ],
  };
}

export function volumes(audit: AuditStorage): readonly Fields[] {
  const token = { audience: TOKEN_AUDIENCE, expirationSeconds: TOKEN_SECONDS, path: "token" };
  return [
    { name: RUN_VOLUME, emptyDir: { medium: "Memory", sizeLimit: RUN_BYTES } },
    { name: TOKEN_VOLUME, projected: { sources: [{ serviceAccountToken: token }] } },
    { name: NO_TOKEN_VOLUME, emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
    ...auditVolumes(audit),
  ];
}

/** JSON without `$`, which kubelet would read as the beginning of a variable. */
export function inEnvironment(value: unknown): string {
  return JSON.stringify(value).replaceAll("$", "\\u0024");
}

function proxyEnvironment({ context, audit, probes, appMetricsUrl }: Injected): readonly Fields[] {
  const field = (name: string, fieldPath: string) => ({
    name,
    valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } },
  });
  const text = (name: string, value: string) => ({ name, value });
  return [
    field("POD_NAME", "metadata.name"),
    field("POD_NAMESPACE", "metadata.namespace"),
    field("HEDGEROW_POD_IP", "status.podIP"),
    // Kubelet fills in what stands above.
    text("HEDGEROW_NODE_ID", "$(POD_NAMESPACE)/$(POD_NAME)"),
    text("HEDGEROW_ENROLL", context.enrollAddress),
    text("HEDGEROW_MESH", context.meshAddress),
    text("HEDGEROW_TOKEN_FILE", `${TOKEN_DIRECTORY}/token`),
    text("HEDGEROW_TRUST_DOMAIN", context.trustDomain),
    text("HEDGEROW_ROOT_DIGESTS", context.rootDigests.join(",")),
    text("HEDGEROW_RUN", RUN_DIRECTORY),
    ...auditEnvironment(audit),
    text("HEDGEROW_METRICS_LISTEN", `0.0.0.0:${AGENT_PORT}`),
    text("HEDGEROW_PROBES", inEnvironment(probes)),
    ...(appMetricsUrl === undefined ? [] : [text("HEDGEROW_APP_METRICS", appMetricsUrl.replaceAll("$", "%24"))]),
    text("ENVOY_BIN", "/usr/local/bin/envoy"),
    text("HEDGEROW_ENVOY_CONCURRENCY", String(context.concurrency)),
    // The run directory is memory.
    text("HEDGEROW_ENVOY_LOG", "stdout"),
  ];
}

function resourcesOf({ resources: { requests, limits } }: PodSettings): Fields {
  return Object.keys(limits).length === 0 ? { requests } : { requests, limits };
}

function probe(path: string): Fields {
  return { httpGet: { path, port: AGENT_PORT, scheme: "HTTP" }, timeoutSeconds: 3 };
}
