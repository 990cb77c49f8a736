import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonPatch } from "./json-patch.ts";
import { type Injection, injectPod } from "./pod.ts";
import { applyPatch } from "./testing/apply-patch.ts";
import { testContext } from "./testing/context.ts";

// biome-ignore lint/suspicious/noExplicitAny: assertions prove the shape.
type Any = any;

const app = (fields: object = {}) => ({ name: "app", image: "app", ...fields });
const pod = (spec: object = {}, metadata: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "fraud", ...metadata },
  spec: { containers: [app()], ...spec },
});
const annotated = (annotations: Record<string, string>, spec: object = {}) => pod(spec, { annotations });
const inject = (subject: unknown, context = testContext) => injectPod(subject, context);
function patched(subject: unknown, context = testContext): Any {
  const result = inject(subject, context);
  if (result.kind !== "patch") throw new Error(result.reason);
  expect(applyPatch(subject, jsonPatch(result.operations))).toEqual(result.pod);
  return result.pod;
}
const refusal = (result: Injection) => (result.kind === "refuse" ? result.reason : `not refused: ${result.kind}`);
const environment = (subject: Any, container: number) =>
  Object.fromEntries(
    subject.spec.initContainers[container].env.map((one: Any) => [one.name, one.value ?? one.valueFrom]),
  );
const capture = (subject: Any) => JSON.parse(environment(subject, 0)["HEDGEROW_CAPTURE"]);
const probes = (subject: Any) => JSON.parse(environment(subject, 1)["HEDGEROW_PROBES"]);

describe("injectPod", () => {
  it("puts capture first, then the proxy as a native sidecar, then what the pod had", () => {
    const result = patched(pod({ initContainers: [{ name: "migrate" }], volumes: [{ name: "data" }] }));
    expect(result.spec.initContainers.map(({ name, restartPolicy }: Any) => [name, restartPolicy])).toEqual([
      ["hedgerow-init", undefined],
      ["hedgerow-proxy", "Always"],
      ["migrate", undefined],
    ]);
    expect(result.spec.volumes.map(({ name }: Any) => name)).toEqual([
      "data",
      "hedgerow-run",
      "hedgerow-token",
      "hedgerow-no-token",
      "hedgerow-audit",
    ]);
    expect(result.spec.containers).toEqual([app()]);
    expect(result.metadata.labels).toEqual({ "hedgerow.dev/mesh": "true" });
    expect(JSON.parse(result.metadata.annotations["hedgerow.dev/status"])).toEqual({
      revision: "default",
      version: "0.1.0",
      containers: ["hedgerow-init", "hedgerow-proxy"],
      volumes: ["hedgerow-run", "hedgerow-token", "hedgerow-no-token", "hedgerow-audit"],
      replaced: {},
    });
  });

  it("gives NET_ADMIN to the init container alone, and nothing else to anybody", () => {
    const [init, proxy] = patched(pod()).spec.initContainers;
    const never = { privileged: false, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true };
    const seccompProfile = { type: "RuntimeDefault" };
    expect(init.securityContext).toEqual({
      ...never,
      seccompProfile,
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      capabilities: { add: ["NET_ADMIN"], drop: ["ALL"] },
    });
    expect(proxy.securityContext).toEqual({
      ...never,
      seccompProfile,
      runAsUser: 1337,
      runAsGroup: 1337,
      runAsNonRoot: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  it("tells the agent where the control plane is, how to know it, and who it is itself", () => {
    expect(environment(patched(pod()), 1)).toEqual({
      POD_NAME: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } },
      POD_NAMESPACE: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } },
      HEDGEROW_POD_IP: { fieldRef: { apiVersion: "v1", fieldPath: "status.podIP" } },
      HEDGEROW_NODE_ID: "$(POD_NAMESPACE)/$(POD_NAME)",
      HEDGEROW_ENROLL: "control-plane.hedgerow-system.svc:15010",
      HEDGEROW_MESH: "control-plane.hedgerow-system.svc:15012",
      HEDGEROW_TOKEN_FILE: "/var/run/secrets/hedgerow/token",
      HEDGEROW_TRUST_DOMAIN: "bank.example",
      HEDGEROW_ROOT_DIGESTS: "ab".repeat(32),
      HEDGEROW_RUN: "/run/hedgerow",
      HEDGEROW_AUDIT: "/var/lib/hedgerow/audit",
      HEDGEROW_METRICS_LISTEN: "0.0.0.0:15020",
      HEDGEROW_PROBES: "{}",
      ENVOY_BIN: "/usr/local/bin/envoy",
      HEDGEROW_ENVOY_CONCURRENCY: "2",
      HEDGEROW_ENVOY_LOG: "stdout",
    });
  });

  it("reads what is captured, how much the proxy gets, and ignores spaces", () => {
    const result = patched(
      annotated(
        {
          "hedgerow.dev/outbound-ip-ranges": "10.0.0.0/8, fd00::/8",
          "hedgerow.dev/exclude-outbound-ip-ranges": "10.9.0.0/16",
          "hedgerow.dev/outbound-ports": "443",
          "hedgerow.dev/exclude-outbound-ports": "22, 25,22",
          "hedgerow.dev/inbound-ports": "",
          "hedgerow.dev/exclude-inbound-ports": "9999",
          "hedgerow.dev/drain": "1m30s",
          "hedgerow.dev/proxy-cpu": "250m",
          "hedgerow.dev/proxy-memory-limit": "1Gi",
        },
        { terminationGracePeriodSeconds: 120 },
      ),
    );
    expect(capture(result)).toEqual({
      outboundIpRanges: ["10.0.0.0/8", "fd00::/8"],
      excludeOutboundIpRanges: ["10.9.0.0/16"],
      outboundPorts: [443],
      excludeOutboundPorts: [22, 25],
      inboundPorts: [],
      excludeInboundPorts: [9999],
    });
    const resources = { requests: { cpu: "250m", memory: "128Mi" }, limits: { memory: "1Gi" } };
    expect(result.spec.initContainers.map((one: Any) => one.resources)).toEqual([resources, resources]);
    expect(capture(patched(pod()))).toMatchObject({ outboundIpRanges: ["*"], inboundPorts: ["*"] });
  });

  it("leads every probe and hook over the network to the agent, and describes what it was", () => {
    const result = patched(
      pod({
        initContainers: [{ name: "log", restartPolicy: "Always", startupProbe: { tcpSocket: { port: 5 } } }],
        containers: [
          app({
            ports: [{ name: "web", containerPort: 8443 }],
            livenessProbe: { grpc: { port: 9000, service: "models" }, periodSeconds: 7 },
            readinessProbe: {
              httpGet: {
                path: "ready?x=$(HOME)",
                port: "web",
                scheme: "HTTPS",
                httpHeaders: [{ name: "a", value: "b" }],
              },
              timeoutSeconds: 9,
            },
            startupProbe: { exec: { command: ["true"] } },
            lifecycle: { preStop: { httpGet: { path: "/quit", port: 8080 } }, postStart: { sleep: { seconds: 1 } } },
          }),
        ],
      }),
    );
    const rewritten = (path: string) => ({ httpGet: { path, port: 15020, scheme: "HTTP" } });
    expect(result.spec.containers[0]).toMatchObject({
      livenessProbe: { ...rewritten("/app-health/app/livez"), periodSeconds: 7 },
      readinessProbe: { ...rewritten("/app-health/app/readyz"), timeoutSeconds: 9 },
      startupProbe: { exec: { command: ["true"] } },
      lifecycle: { preStop: rewritten("/app-health/app/prestop"), postStart: { sleep: { seconds: 1 } } },
    });
    expect(result.spec.containers[0].livenessProbe).not.toHaveProperty("grpc");
    expect(result.spec.initContainers[2].startupProbe).toEqual(rewritten("/app-health/log/startupz"));
    expect(probes(result)).toEqual({
      "/app-health/log/startupz": { tcpSocket: { port: 5 }, timeoutSeconds: 1 },
      "/app-health/app/livez": { grpc: { port: 9000, service: "models" }, timeoutSeconds: 1 },
      "/app-health/app/readyz": {
        httpGet: { path: "/ready?x=$(HOME)", port: 8443, scheme: "HTTPS", httpHeaders: [{ name: "a", value: "b" }] },
        timeoutSeconds: 9,
      },
      "/app-health/app/prestop": { httpGet: { path: "/quit", port: 8080, scheme: "HTTP" } },
    });
    // Kubelet would fill in variables.
    expect(environment(result, 1)["HEDGEROW_PROBES"]).not.toContain("$");
  });

  it.each([
    ["two handlers", { httpGet: { port: 1 }, exec: {} }],
    ["a port out of range", { httpGet: { port: 70_000 } }],
    ["an unknown scheme", { httpGet: { port: 80, scheme: "GOPHER" } }],
    ["a header's name that is none", { httpGet: { port: 80, httpHeaders: [{ name: "a b", value: "" }] } }],
    ["no port", { tcpSocket: {} }],
    ["a named port for gRPC", { grpc: { port: "web" } }],
  ])("leaves a probe with %s to the API server, which refuses it", (_, probe) => {
    expect(patched(pod({ containers: [app({ livenessProbe: probe })] })).spec.containers[0].livenessProbe).toEqual(
      probe,
    );
  });

  it("leads Prometheus to the agent, and the agent to the application", () => {
    const result = patched(
      annotated({ "prometheus.io/scrape": "true", "prometheus.io/port": "9090", "prometheus.io/path": "stats" }),
    );
    expect(environment(result, 1)["HEDGEROW_APP_METRICS"]).toBe("http://127.0.0.1:9090/stats");
    expect(result.metadata.annotations).toMatchObject({
      "prometheus.io/scrape": "true",
      "prometheus.io/port": "15020",
      "prometheus.io/path": "/metrics",
      "prometheus.io/scheme": "http",
    });
  });

  it.each([
    ["is not asked for", {}, []],
    ["has no port to be found", { "prometheus.io/scrape": "true" }, ["prometheus.io/port is no port"]],
    [
      "is over TLS",
      { "prometheus.io/scrape": "true", "prometheus.io/port": "1", "prometheus.io/scheme": "https" },
      ["prometheus.io/scheme is not http"],
    ],
  ])("leaves the metrics' annotations where scraping %s", (_, annotations, words) => {
    const result = inject(annotated(annotations));
    expect(result).toMatchObject({ kind: "patch", warnings: words.map((text) => expect.stringContaining(text)) });
    expect(patched(annotated(annotations)).metadata.annotations).toMatchObject(annotations);
  });

  it("gives the agent the secrets that are named, to nobody else, and a disk that goes with the pod", () => {
    const result = patched(annotated({ "hedgerow.dev/audit-secrets": "audit-key, audit.digest,audit-key" }));
    expect(result.spec.volumes.slice(3)).toEqual([
      { name: "hedgerow-audit", emptyDir: { sizeLimit: "10Gi" } },
      { name: "hedgerow-secret-0", secret: { secretName: "audit-key" } },
      { name: "hedgerow-secret-1", secret: { secretName: "audit.digest" } },
    ]);
    const [init, proxy] = result.spec.initContainers;
    expect(init.volumeMounts.map(({ name }: Any) => name)).toEqual(["hedgerow-no-token"]);
    expect(proxy.volumeMounts.slice(3)).toEqual([
      { name: "hedgerow-audit", mountPath: "/var/lib/hedgerow/audit" },
      { name: "hedgerow-secret-0", mountPath: "/var/run/secrets/hedgerow-audit/audit-key", readOnly: true },
      { name: "hedgerow-secret-1", mountPath: "/var/run/secrets/hedgerow-audit/audit.digest", readOnly: true },
    ]);
    expect(environment(result, 1)).toMatchObject({ HEDGEROW_SECRETS: "/var/run/secrets/hedgerow-audit" });
  });

  it("keeps ledgers on a volume of the pod's own, each pod in a directory of its name", () => {
    const volume = { name: "ledgers", persistentVolumeClaim: { claimName: "ledgers" } };
    const spec = { volumes: [volume], securityContext: { fsGroup: 2000 } };
    const result = patched(annotated({ "hedgerow.dev/audit-volume": "ledgers" }, spec));
    expect(result.spec.initContainers[1].volumeMounts.slice(3)).toEqual([
      { name: "ledgers", mountPath: "/var/lib/hedgerow/audit", subPathExpr: "$(POD_NAME)" },
    ]);
    expect(result.spec.volumes.map(({ name }: Any) => name)).toEqual([
      "ledgers",
      "hedgerow-run",
      "hedgerow-token",
      "hedgerow-no-token",
    ]);
    expect(environment(result, 1)).toMatchObject({ HEDGEROW_AUDIT: "/var/lib/hedgerow/audit" });
    expect(inject(annotated({ "hedgerow.dev/audit-volume": "ledgers" }, spec))).toMatchObject({ warnings: [] });
  });

  it.each<[what: string, volume: object, words: string]>([
    ["an emptyDir", { emptyDir: {} }, "what is recorded there goes with the pod"],
    ["without a group", { persistentVolumeClaim: { claimName: "c" } }, "without spec.securityContext.fsGroup"],
  ])("warns of a volume for ledgers that is %s", (_, source, words) => {
    const result = inject(
      annotated({ "hedgerow.dev/audit-volume": "ledgers" }, { volumes: [{ name: "ledgers", ...source }] }),
    );
    expect(result).toMatchObject({ kind: "patch", warnings: [expect.stringContaining(words)] });
  });

  it.each<[what: string, volume: object, words: string]>([
    ["is not there", { name: "other" }, 'must name one of the pod\'s own volumes: "ledgers" is none'],
    ["is a configMap", { name: "ledgers", configMap: { name: "c" } }, '"ledgers" is read-only'],
    [
      "is claimed read-only",
      { name: "ledgers", persistentVolumeClaim: { claimName: "c", readOnly: true } },
      'must name a volume that can be written: "ledgers" is read-only',
    ],
  ])("refuses a volume for ledgers that %s", (_, volume, words) => {
    const result = inject(annotated({ "hedgerow.dev/audit-volume": "ledgers" }, { volumes: [volume] }));
    expect(refusal(result)).toContain('metadata.annotations["hedgerow.dev/audit-volume"] ');
    expect(refusal(result)).toContain(words);
  });

  it.each<[string, object, readonly string[]]>([
    [
      "the host's network",
      pod({ hostNetwork: true }),
      ["spec.hostNetwork must not be true", 'hedgerow.dev/inject: "false"'],
    ],
    ["the host's processes", pod({ hostPID: true }), ["spec.hostPID must not be true"]],
    ["shared processes", pod({ shareProcessNamespace: true }), ["spec.shareProcessNamespace must not be true"]],
    ["Windows", pod({ os: { name: "windows" } }), ["spec.os.name must not be windows"]],
    ["a Windows node", pod({ nodeSelector: { "kubernetes.io/os": "windows" } }), ["must not be windows"]],
    ["the node's DNS", pod({ dnsPolicy: "Default" }), ["spec.dnsPolicy must not be Default"]],
    [
      "the proxy's user",
      pod({ securityContext: { runAsUser: 1337 } }),
      ["spec.containers[0] must not run as user 1337"],
    ],
    [
      "the proxy's user in a container",
      pod({ initContainers: [{ name: "i", securityContext: { runAsUser: 1337 } }] }),
      ["spec.initContainers[0].securityContext.runAsUser must not run as user 1337"],
    ],
    ["our name", pod({ containers: [app({ name: "hedgerow-proxy" })] }), ["spec.containers[0].name is the name"]],
    ["our volume", pod({ volumes: [{ name: "hedgerow-run" }] }), ["spec.volumes[0].name is the name"]],
    [
      "our volume's content",
      pod({ containers: [app({ volumeMounts: [{ name: "hedgerow-run", mountPath: "/x" }] })] }),
      ["spec.containers[0].volumeMounts[0].name must not be a volume of the proxy's"],
    ],
    [
      "our port",
      pod({ containers: [app({ ports: [{ containerPort: 1 }, { containerPort: 15006 }] })] }),
      ["spec.containers[0].ports[1].containerPort must not be 15006"],
    ],
    [
      "a probe of our port",
      pod({ containers: [app({ livenessProbe: { tcpSocket: { port: 15020 } } })] }),
      ["spec.containers[0].livenessProbe must not ask port 15020"],
    ],
    [
      "too many headers",
      pod({
        containers: [app({ livenessProbe: { httpGet: { port: 1, httpHeaders: Array(65).fill({ name: "a" }) } } })],
      }),
      ["spec.containers[0].livenessProbe.httpGet.httpHeaders must have at most 64 entries, not 65"],
    ],
    [
      "probes beyond what a process takes",
      pod({ containers: [app({ livenessProbe: { httpGet: { port: 1, path: "x".repeat(120_000) } } })] }),
      ["spec must describe its probes in at most 120000 bytes"],
    ],
    ["a label that is neither", pod({}, { labels: { "hedgerow.dev/inject": "False" } }), ['must be "true" or "false"']],
    [
      "its own resources",
      annotated({ "hedgerow.dev/proxy-cpu": "1" }, { resources: { limits: { cpu: 1 } } }),
      ['metadata.annotations["hedgerow.dev/proxy-cpu"] must not be set beside spec.resources'],
    ],
    [
      "no room for one more annotation",
      annotated({ a: "x".repeat(256 * 1024 - 1) }),
      ["metadata.annotations must leave room for the sidecar's own: "],
    ],
    ["no containers", { spec: {} }, ["spec.containers must be a list of containers"]],
    ["no pod", [], ["this is no pod"]],
    [
      "containers that are none",
      { spec: { containers: [1, {}] } },
      ["spec.containers[0] must be", "spec.containers[1].name"],
    ],
  ])("refuses a pod with %s", (_, subject, words) => {
    for (const text of words) expect(refusal(inject(subject))).toContain(text);
  });

  it.each([
    ["outbound-ip-ranges", "10.0.0.0/8,*", 'ranges such as 10.0.0.0/8, separated by commas, or * alone: "*" is none'],
    ["exclude-outbound-ip-ranges", "*", 'separated by commas: "*" is none'],
    ["outbound-ip-ranges", "10.0.0.1", '"10.0.0.1" is none'],
    ["exclude-outbound-ports", "80,,443", 'ports from 1 to 65535, separated by commas: "" is none'],
    ["inbound-ports", "0", 'or * alone: "0" is none'],
    ["exclude-inbound-ports", Array.from({ length: 257 }, (_, i) => i + 1).join(), "at most 256 entries, not 257"],
    ["drain", "2d", 'must be a duration from 0s to 10m, as 10s or 800ms, not "2d"'],
    ["drain", "11m", "from 0s to 10m"],
    ["audit-secrets", "audit_key", 'must be names of Secrets, separated by commas: "audit_key" is none'],
    ["audit-secrets", "a,,b", '"" is none'],
    ["audit-secrets", Array.from({ length: 17 }, (_, i) => `s${i}`).join(), "at most 16 entries, not 17"],
    ["audit-volume", "", 'one of the pod\'s own volumes: "" is none'],
    ["proxy-cpu", "fast", 'must be an amount of cpu such as 100m or 2, not "fast"'],
    ["proxy-memory", "-1", "must be an amount of memory"],
    ["proxy-memory-limit", "64Mi", "must be at least 128Mi, not 64Mi"],
    ["proxy-cpu-limit", "0", "must be an amount of cpu"],
  ])("refuses annotation %s: %s", (name, value, words) => {
    expect(refusal(inject(annotated({ [`hedgerow.dev/${name}`]: value })))).toContain(
      `metadata.annotations["hedgerow.dev/${name}"] must`,
    );
    expect(refusal(inject(annotated({ [`hedgerow.dev/${name}`]: value })))).toContain(words);
  });

  it("refuses a limit below what is requested", () => {
    const both = { "hedgerow.dev/proxy-cpu": "2", "hedgerow.dev/proxy-cpu-limit": "1500m" };
    expect(refusal(inject(annotated(both)))).toContain("must be at least the cpu requested, 2, not 1500m");
  });

  it("tells all problems at once", () => {
    const result = inject(
      annotated({ "hedgerow.dev/drain": "x" }, { hostNetwork: true, volumes: [{ name: "hedgerow-token" }] }),
    );
    expect(result.kind === "refuse" && result.problems.length).toBe(3);
  });

  it.each([
    ["declines", pod({ hostNetwork: true }, { labels: { "hedgerow.dev/inject": "false" } })],
    ["is the mirror of a static one", annotated({ "kubernetes.io/config.mirror": "x" })],
  ])("leaves a pod alone that %s", (_, subject) => {
    expect(inject(subject).kind).toBe("skip");
  });

  it("shares the resources of a pod that has them as a whole", () => {
    const result = patched(pod({ resources: { limits: { cpu: "1" } } }));
    for (const container of result.spec.initContainers) expect(container).not.toHaveProperty("resources");
  });

  it("warns of what is legal and perhaps not meant", () => {
    const result = inject(
      annotated(
        { "hedgerow.dev/outbound-port": "1", "hedgerow.dev/exclude-outbound-ip-ranges": "fd00::/8" },
        {
          terminationGracePeriodSeconds: 2,
          dnsPolicy: "None",
          containers: [app({ livenessProbe: { httpGet: { port: "web" } } })],
        },
      ),
    );
    expect(result).toMatchObject({
      warnings: [
        expect.stringContaining("spec.containers[0].livenessProbe names a port that its container does not declare"),
        expect.stringContaining("unknown annotation hedgerow.dev/outbound-port"),
        "range fd00::/8 changes nothing: only IPv4 is captured",
        expect.stringContaining("spec.terminationGracePeriodSeconds 2 is shorter than the proxy's drain of 5 s"),
        expect.stringContaining("spec.dnsPolicy is None"),
      ],
    });
  });
});

const whole = annotated(
  { "prometheus.io/scrape": "true", "prometheus.io/port": "9090", "prometheus.io/path": "/m", other: "kept" },
  {
    initContainers: [{ name: "first" }],
    containers: [
      app({
        readinessProbe: { httpGet: { port: 8080, path: "/r", scheme: "HTTP" } },
        lifecycle: { preStop: { tcpSocket: { port: 1 } } },
      }),
    ],
  },
);

describe("injectPod, again", () => {
  it("leaves its own work as it is", () => {
    const once = patched(whole);
    expect(inject(once)).toMatchObject({ kind: "patch", operations: [] });
  });

  it("leaves what the API server and other webhooks filled in", () => {
    const once = patched(whole);
    once.spec.initContainers[1].terminationMessagePath = "/dev/termination-log";
    once.spec.initContainers[1].resources.limits = { cpu: "1" };
    once.spec.initContainers[1].volumeMounts.push({
      name: "kube-api-access",
      mountPath: "/var/run/secrets/kubernetes.io",
    });
    once.spec.initContainers[1].env.push({ name: "TRACE", value: "1" });
    once.spec.initContainers[1].readinessProbe.successThreshold = 1;
    expect(inject(once)).toMatchObject({ kind: "patch", operations: [] });
  });

  it("takes in a container that came since", () => {
    const once = patched(whole);
    once.spec.containers.push({ name: "late", livenessProbe: { httpGet: { port: 7 } } });
    const twice = patched(once);
    expect(Object.keys(probes(twice))).toEqual([
      "/app-health/app/readyz",
      "/app-health/app/prestop",
      "/app-health/late/livez",
    ]);
  });

  it("takes up changed annotations, and lets go of those that went", () => {
    const once = patched(whole);
    once.metadata.annotations["hedgerow.dev/exclude-outbound-ports"] = "5432";
    delete once.metadata.annotations["prometheus.io/scrape"];
    const twice = patched(once);
    expect(capture(twice).excludeOutboundPorts).toEqual([5432]);
    expect(environment(twice, 1)).not.toHaveProperty("HEDGEROW_APP_METRICS");
    expect(twice.metadata.annotations).toMatchObject({ "prometheus.io/port": "9090", "prometheus.io/path": "/m" });
    expect(twice.metadata.annotations).not.toHaveProperty("prometheus.io/scheme");
  });

  it("lets go of secrets and volumes that are named no longer", () => {
    const volume = { name: "ledgers", persistentVolumeClaim: { claimName: "ledgers" } };
    const first = annotated({ "hedgerow.dev/audit-secrets": "a,b" }, { volumes: [volume] });
    const once = patched(first);
    const second = { "hedgerow.dev/audit-secrets": "c", "hedgerow.dev/audit-volume": "ledgers" };
    Object.assign(once.metadata.annotations, second);
    const twice = patched(once);
    expect(twice).toEqual(patched(annotated(second, { volumes: [volume] })));
    expect(inject(twice)).toMatchObject({ kind: "patch", operations: [] });
  });

  it("stays first", () => {
    const once = patched(whole);
    once.spec.initContainers.unshift({ name: "vault" });
    expect(patched(once).spec.initContainers.map(({ name }: Any) => name)).toEqual([
      "hedgerow-init",
      "hedgerow-proxy",
      "vault",
      "first",
    ]);
  });

  it("replaces another version's sidecar as if that had never been", () => {
    const next = { ...testContext, version: "0.2.0", image: "hedgerow.dev/sidecar:0.2.0" };
    const once = patched(whole);
    once.spec.initContainers[1].env.push({ name: "OLD", value: "1" });
    expect(patched(once, next)).toEqual(patched(whole, next));
  });

  it("does not take somebody else's containers for its own", () => {
    const forged = annotated({ "hedgerow.dev/status": "{" }, { initContainers: [{ name: "hedgerow-proxy" }] });
    expect(refusal(inject(forged))).toContain("spec.initContainers[0].name is the name of a container of the proxy's");
  });
});

describe("injectPod, with anything at all", () => {
  const names = [
    "spec",
    "metadata",
    "containers",
    "initContainers",
    "volumes",
    "name",
    "labels",
    "annotations",
    "livenessProbe",
    "lifecycle",
    "preStop",
    "httpGet",
    "tcpSocket",
    "grpc",
    "port",
    "ports",
    "env",
    "value",
    "path",
    "scheme",
    "httpHeaders",
    "hedgerow.dev/status",
    "hedgerow.dev/drain",
    "hedgerow.dev/audit-secrets",
    "hedgerow.dev/audit-volume",
    "securityContext",
    "resources",
    "__proto__",
    "constructor",
  ];
  const anything = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 6 },
      fc.constantFrom(null, true, 0, 8080, -1, "", "app", "hedgerow-proxy", '{"revision":"default","version":"0.1.0"}'),
      fc.dictionary(fc.constantFrom(...names), tie("value"), { maxKeys: 6 }),
      fc.array(tie("value"), { maxLength: 3 }),
    ),
  })).value;
  const container = fc.record(
    { name: fc.constantFrom("app", "b"), livenessProbe: anything, lifecycle: anything, ports: anything, env: anything },
    { requiredKeys: ["name"] },
  );
  const containers = fc.oneof({ weight: 3, arbitrary: fc.array(container) }, { weight: 1, arbitrary: anything });
  const spec = fc.record(
    { containers, initContainers: containers, volumes: anything },
    { requiredKeys: ["containers"] },
  );
  const podlike = fc.record({ metadata: anything, spec });

  it("answers, with a patch that fits or a reason, and does it twice as once", () => {
    let patches = 0;
    fc.assert(
      fc.property(fc.oneof(anything, podlike), (subject) => {
        const before = JSON.stringify(subject);
        const result = inject(subject);
        expect(JSON.stringify(subject)).toBe(before);
        const { operations, pod: made, reason } = { operations: [], pod: subject, reason: "patched", ...result };
        expect(reason).not.toBe("");
        expect(applyPatch(subject, jsonPatch(operations))).toEqual(made);
        if (result.kind === "patch") patches++;
        const again = inject(made);
        expect([again.kind, again.kind === "patch" ? again.operations : []]).toEqual([result.kind, []]);
      }),
      { numRuns: 500 },
    );
    expect(patches).toBeGreaterThan(20);
  });

  it("does not lose its way in depths", () => {
    const deep = JSON.parse(`${"[".repeat(200_000)}${"]".repeat(200_000)}`);
    const result = inject(pod({ volumes: [deep], containers: [app({ deep })] }, { labels: { x: deep } }));
    expect(result.kind).toBe("patch");
  });
});
