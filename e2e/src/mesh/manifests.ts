// The manifests of the digits mesh, as an operator would write them; only the ports differ from run to run.

export interface PredictorPlace {
  readonly name: string;
  readonly version: "1" | "2";
  readonly port: number;
  readonly appPort: number;
}

export interface CallerPlace {
  readonly name: string;
  readonly serviceAccount: string;
  readonly localPort: number;
}

export interface DigitsMesh {
  readonly trustDomain: string;
  readonly svidLifetime: string;
  readonly predictors: readonly PredictorPlace[];
  readonly callers: readonly CallerPlace[];
  /** Weights of digits v1 and v2. */
  readonly weights: readonly [number, number];
  /** `spec` of an AuditPolicy for the namespace of the predictors, without its targets, as YAML in one line; undefined: none. */
  readonly audit: string | undefined;
  /** Of the predictors' services, as in 4Mi; undefined: the default. */
  readonly maxRequestBytes: string | undefined;
}

const meshFile = ({ trustDomain, svidLifetime }: DigitsMesh): string => `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec:
  trustDomain: ${trustDomain}
  identity: {lifetime: ${svidLifetime}}
  access: {default: deny}
`;

const predictorFile = ({ name, version, port, appPort }: PredictorPlace): string => `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: models, labels: {app: digits, version: v${version}}}
spec:
  serviceAccount: digits
  address: 127.0.0.1
  drain: 1s
  inbound: [{name: grpc, port: ${port}, appPort: ${appPort}, protocol: grpc}]
`;

const callerFile = ({ name, serviceAccount, localPort }: CallerPlace): string => `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: apps}
spec:
  serviceAccount: ${serviceAccount}
  address: 127.0.0.1
  drain: 1s
  upstreams: [{service: models/digits, localPort: ${localPort}}]
`;

const serviceDocument = (name: string, selector: string): string => `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: models}
spec:
  selector: ${selector}
  ports: [{name: grpc, port: 80, targetPort: grpc}]
`;

/** HTTPRoute digits: the canary's weights. */
export function routeFile([v1, v2]: readonly [number, number]): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: digits, namespace: models}
spec:
  parentRefs: [{kind: Service, name: digits}]
  rules:
    - backendRefs:
        - {name: digits-v1, port: 80, weight: ${v1}}
        - {name: digits-v2, port: 80, weight: ${v2}}
`;
}

/** AccessPolicy digits: the reader may infer and look; nobody else may do anything. */
export function accessFile(reader: string): string {
  return `apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: digits, namespace: models}
spec:
  targetRefs: [{kind: Service, name: digits}]
  allow:
    - name: readers
      from: [{serviceAccount: apps/${reader}}]
      methods: [infer, metadata, ready]
`;
}

/** AuditPolicy models: every request to a predictor is recorded. `spec` as YAML in one line, without targets. */
export function auditFile(spec: string): string {
  return `apiVersion: hedgerow.dev/v1alpha1
kind: AuditPolicy
metadata: {name: models, namespace: models}
spec: ${spec.replace("{", "{targetRefs: [{kind: Namespace, name: models}], ").replace(", }", "}")}
`;
}

const trafficFile = (maxRequestBytes: string): string => `apiVersion: hedgerow.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: digits, namespace: models}
spec:
  targetRefs: [{kind: Service, name: digits}, {kind: Service, name: digits-v1}, {kind: Service, name: digits-v2}]
  maxRequestBytes: ${maxRequestBytes}
`;

/** File name → content. */
export function digitsManifests(mesh: DigitsMesh): ReadonlyMap<string, string> {
  const services = [
    serviceDocument("digits", "{app: digits}"),
    serviceDocument("digits-v1", "{app: digits, version: v1}"),
    serviceDocument("digits-v2", "{app: digits, version: v2}"),
  ].join("---\n");
  return new Map([
    ["mesh.yaml", meshFile(mesh)],
    ["services.yaml", services],
    ["route.yaml", routeFile(mesh.weights)],
    ["access.yaml", accessFile(mesh.callers[0]?.serviceAccount ?? "reader")],
    ...(mesh.audit === undefined ? [] : [["audit.yaml", auditFile(mesh.audit)] as const]),
    ...(mesh.maxRequestBytes === undefined ? [] : [["traffic.yaml", trafficFile(mesh.maxRequestBytes)] as const]),
    ...mesh.predictors.map((place) => [`${place.name}.yaml`, predictorFile(place)] as const),
    ...mesh.callers.map((place) => [`${place.name}.yaml`, callerFile(place)] as const),
  ]);
}
