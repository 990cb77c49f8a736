// Meshes of pods, as the model has them: what no manifest writes down.
import type { ObjectRef } from "@hedgerow/manifest";
import { manifestSchemas } from "@hedgerow/manifest";
import {
  allowAnyone,
  allowMesh,
  type CompiledAccess,
  compileAccess,
  denyAll,
  serviceAccountId,
} from "@hedgerow/policy";
import type { MtlsMode, PortProtocol } from "../src/cluster/state.ts";
import type {
  Endpoint,
  InboundPort,
  Inspection,
  MeshWorkload,
  Model,
  OutboundScope,
  ServicePort,
} from "../src/model/model.ts";
import type { Origin } from "../src/snapshot/snapshot.ts";
import { TRUST_DOMAIN } from "./mesh.ts";

interface PortFixture {
  readonly protocol: PortProtocol;
  readonly access?: readonly CompiledAccess[];
  /** Default false: nothing records. */
  readonly isRecorded?: boolean;
}

export interface PodFixture {
  /** NAMESPACE/POD. */
  readonly nodeId: string;
  readonly address: string;
  readonly inbound?: Readonly<Record<number, PortFixture>>;
  /** Default strict. */
  readonly mtls?: MtlsMode;
  /** Default passthrough. */
  readonly outbound?: "passthrough" | "registry-only";
}

export interface ServiceFixture {
  readonly protocol: PortProtocol;
  /** Default none: headless. */
  readonly clusterIps?: readonly string[];
  /** NODE-ID@ADDRESS:PORT of a pod of the mesh, ADDRESS:PORT of another. */
  readonly endpoints: readonly string[];
  readonly serviceAccounts?: readonly string[];
  readonly plainEndpoints?: boolean;
  /** Weights of backends, by service port, for every request. */
  readonly route?: Readonly<Record<string, number>>;
}

function ref(kind: string, id: string): ObjectRef {
  const [namespace = "", name = ""] = id.split("/");
  return { kind, namespace, name } as ObjectRef;
}

function originOf(kind: string, id: string, ...path: Origin["path"]): Origin {
  return { object: ref(kind, id), path };
}

const inspection: Inspection = {
  policy: manifestSchemas.AuditPolicy.parse({
    apiVersion: "hedgerow.dev/v1alpha1",
    kind: "AuditPolicy",
    metadata: { name: "digits", namespace: "models" },
    spec: { targetRefs: [{ kind: "Service", name: "digits" }] },
  }),
  ledger: "models/digits",
  generation: 2,
  failMode: "closed",
  maxRequestBytes: 1_048_576,
  services: ["models/digits"],
  origins: [originOf("AuditPolicy", "models/digits", "spec")],
};

/** A pod; `scope` is one object for all that share it. */
export function pod(scope: OutboundScope, fixture: PodFixture): MeshWorkload {
  const { nodeId, address, inbound = {}, mtls = "strict", outbound = "passthrough" } = fixture;
  return {
    object: ref("Pod", nodeId),
    nodeId,
    address,
    region: undefined,
    drainMs: 5_000,
    inbound: Object.entries(inbound).map(([port, { protocol, access, isRecorded = false }]): InboundPort => {
      const whole = mtls === "permissive" ? allowAnyone("default allow") : allowMesh("default allow", TRUST_DOMAIN);
      return {
        port: Number(port),
        appPort: Number(port),
        protocol,
        origin: originOf("Pod", nodeId, "spec"),
        access: access ?? [whole],
        accessOrigins: [],
        inspection: isRecorded ? inspection : undefined,
        maxRequestBytes: undefined,
        trafficOrigins: [],
      };
    }),
    upstreams: [],
    capture: { mtls, outbound, scope },
  };
}

export function servicePort(id: string, fixture: ServiceFixture): ServicePort {
  const { protocol, clusterIps = [], endpoints, serviceAccounts = ["models/digits"], plainEndpoints = false } = fixture;
  const port = Number(id.split("/")[2]);
  return {
    id,
    origin: originOf("Service", id, "spec", "ports", 0),
    spiffeIds: serviceAccounts.map((account) => {
      const [namespace = "", name = ""] = account.split("/");
      return serviceAccountId(TRUST_DOMAIN, namespace, name);
    }),
    identityOrigins: [],
    endpoints: endpoints.map((text): Endpoint => {
      const [where = "", nodeId] = text.split("@").toReversed();
      const colon = where.lastIndexOf(":");
      return {
        nodeId,
        address: where.slice(0, colon),
        port: Number(where.slice(colon + 1)),
        origin: originOf("Service", id, "spec", "selector"),
      };
    }),
    routes:
      fixture.route === undefined
        ? undefined
        : [
            {
              match: { path: { type: "PathPrefix", value: "/" }, headers: [], method: undefined },
              backends: Object.entries(fixture.route).map(([service, weight]) => ({ service, weight })),
            },
          ],
    routeOrigins: fixture.route === undefined ? [] : [originOf("HTTPRoute", id, "spec", "rules")],
    maxRequestBytes: undefined,
    trafficOrigins: [],
    virtual: { port, protocol, clusterIps, plainEndpoints },
  };
}

/** The policy of one Service port, as the model compiles it. */
export function policy(allow: readonly unknown[]): readonly CompiledAccess[] {
  const manifest = manifestSchemas.AccessPolicy.parse({
    apiVersion: "hedgerow.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name: "digits", namespace: "models" },
    spec: { targetRefs: [{ kind: "Service", name: "digits" }], allow },
  });
  return [compileAccess(manifest, TRUST_DOMAIN)];
}

/** All pods see all services. */
export function capturedModel(pods: readonly PodFixture[], services: Readonly<Record<string, ServiceFixture>>): Model {
  const scope: OutboundScope = { services: Object.keys(services).toSorted() };
  return {
    trustDomain: TRUST_DOMAIN,
    workloads: new Map(pods.map((fixture) => [fixture.nodeId, pod(scope, fixture)])),
    services: new Map(Object.entries(services).map(([id, fixture]) => [id, servicePort(id, fixture)])),
  };
}

const scoring = { name: "scoring", from: [{ serviceAccount: "branch/teller" }] };
const probes = { name: "probes", from: [{ namespace: "ops" }], paths: ["/healthz"] };
const caller = { nodeId: "branch/teller-1", address: "10.0.1.9" };

/** A mesh for each thing that captured pods can be. */
export const capturedModels: Readonly<Record<string, Model>> = {
  "captured-strict": capturedModel(
    [
      caller,
      {
        nodeId: "models/digits-1",
        address: "10.0.1.2",
        inbound: {
          8080: { protocol: "http", access: policy([scoring, probes]) },
          6379: { protocol: "tcp", access: policy([scoring, probes]) },
          7000: { protocol: "auto" },
          7001: { protocol: "auto", access: policy([probes]) },
          7002: { protocol: "tcp", access: [denyAll("default deny")] },
        },
      },
    ],
    {
      "models/digits/80": {
        protocol: "http",
        clusterIps: ["10.96.0.1"],
        endpoints: ["models/digits-1@10.0.1.2:8080", "models/digits-2@10.0.1.3:8080"],
      },
      "models/store/6379": {
        protocol: "tcp",
        clusterIps: ["10.96.0.2"],
        endpoints: ["models/digits-1@10.0.1.2:6379"],
      },
      "models/any/7000": {
        protocol: "auto",
        clusterIps: ["10.96.0.3", "fd00::3"],
        endpoints: ["models/digits-1@10.0.1.2:7000"],
      },
    },
  ),
  "captured-permissive": capturedModel(
    [
      { ...caller, mtls: "permissive" },
      {
        nodeId: "models/digits-1",
        address: "10.0.1.2",
        mtls: "permissive",
        inbound: {
          8080: { protocol: "http", access: policy([scoring, probes]) },
          8081: { protocol: "http", isRecorded: true },
          6379: { protocol: "tcp" },
          6380: { protocol: "tcp", access: policy([scoring]) },
          7000: { protocol: "auto" },
          7001: { protocol: "auto", access: policy([probes]), isRecorded: true },
          // No requests are seen there.
          7002: { protocol: "tcp", isRecorded: true },
        },
      },
    ],
    {
      "models/digits/80": {
        protocol: "http",
        clusterIps: ["10.96.0.1"],
        plainEndpoints: true,
        endpoints: ["models/digits-1@10.0.1.2:8080", "10.0.2.7:8080"],
      },
      "models/store/6379": {
        protocol: "tcp",
        clusterIps: ["10.96.0.2"],
        plainEndpoints: true,
        serviceAccounts: [],
        endpoints: ["10.0.2.8:6379"],
      },
    },
  ),
  "captured-headless": capturedModel([caller], {
    "models/a/8080": {
      protocol: "http",
      endpoints: ["models/digits-1@10.0.1.2:8080", "models/digits-2@10.0.1.3:8080", "10.0.2.7:8080"],
      plainEndpoints: true,
    },
    // Leads to the pods of the first, which has their addresses.
    "models/b/8080": {
      protocol: "http",
      endpoints: ["models/digits-1@10.0.1.2:8080", "models/digits-3@10.0.1.4:8080"],
    },
    "models/c/6379": { protocol: "tcp", endpoints: ["models/digits-1@10.0.1.2:6379", "10.0.2.7:6379"] },
    "models/d/7000": { protocol: "auto", endpoints: ["models/digits-1@10.0.1.2:7000"] },
    "models/e/9000": {
      protocol: "http",
      endpoints: ["models/digits-1@10.0.1.2:9000"],
      route: { "models/e-v1/9000": 90, "models/e-v2/9000": 10 },
    },
    "models/e-v1/9000": { protocol: "http", clusterIps: ["10.96.0.4"], endpoints: ["models/digits-1@10.0.1.2:9001"] },
    "models/e-v2/9000": { protocol: "http", endpoints: [] },
  }),
  "captured-registry-only": capturedModel([{ ...caller, outbound: "registry-only" }], {
    "models/digits/80": {
      protocol: "http",
      clusterIps: ["10.96.0.1"],
      endpoints: ["models/digits-1@10.0.1.2:8080"],
      route: { "models/digits-v1/80": 1, "models/gone/80": 0 },
    },
    "models/digits-v1/80": { protocol: "http", clusterIps: ["10.96.0.5"], endpoints: [] },
    "models/gone/80": { protocol: "http", endpoints: [] },
  }),
};
