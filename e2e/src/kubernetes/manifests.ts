// What an operator would apply: a mesh's settings, predictors of two versions behind a route, and callers.

/** Paths in the caller's pod: the checkout, read-only, with the Node that it brings. */
const repo = "/repo";

export const namespaces = `apiVersion: v1
kind: Namespace
metadata: {name: models, labels: {hedgerow.dev/injection: enabled, hedgerow.dev/mtls: strict}}
---
apiVersion: v1
kind: Namespace
metadata: {name: apps, labels: {hedgerow.dev/injection: enabled}}
`;

export const meshConfig = `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh, namespace: hedgerow-system}
spec:
  trustDomain: bank.example
  access: {default: deny}
`;

/** Predictors of one version of digits, and the Service of that version. */
export function predictor(version: "1" | "2", replicas: number): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: digits-v${version}, namespace: models}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: digits, version: v${version}}}
  template:
    metadata: {labels: {app: digits, version: v${version}}}
    spec:
      serviceAccountName: digits
      terminationGracePeriodSeconds: 30
      containers:
        - name: predictor
          image: hedgerow.dev/predictor:dev
          imagePullPolicy: Never
          env:
            - {name: HEDGEROW_MODELS, value: /models}
            - {name: HEDGEROW_LISTEN, value: "0.0.0.0:8080"}
            - {name: HEDGEROW_METRICS_LISTEN, value: "0.0.0.0:9090"}
            - {name: HEDGEROW_WORKERS, value: "1"}
          ports: [{name: grpc, containerPort: 8080}, {name: http-metrics, containerPort: 9090}]
          lifecycle: {preStop: {sleep: {seconds: 2}}}
          startupProbe: {httpGet: {path: /readyz, port: http-metrics}, periodSeconds: 1, failureThreshold: 120}
          readinessProbe: {httpGet: {path: /readyz, port: http-metrics}, periodSeconds: 1}
          volumeMounts: [{name: model, mountPath: /models/digits/${version}}]
      volumes: [{name: model, hostPath: {path: MODELS/${version}, type: Directory}}]
---
apiVersion: v1
kind: Service
metadata: {name: digits-v${version}, namespace: models}
spec:
  selector: {app: digits, version: v${version}}
  ports: [{name: grpc, port: 80, targetPort: grpc}]
`;
}

/** The Service that callers name, its route, and who may call it. */
export const digits = `apiVersion: v1
kind: ServiceAccount
metadata: {name: digits, namespace: models}
---
apiVersion: v1
kind: Service
metadata: {name: digits, namespace: models}
spec:
  selector: {app: digits}
  ports: [{name: grpc, port: 80, targetPort: grpc}]
---
apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: digits, namespace: models}
spec:
  targetRefs: [{kind: Service, name: digits}]
  allow:
    - name: reader
      from: [{serviceAccount: apps/reader}, {serviceAccount: apps/nightly}]
      methods: [infer, metadata, ready]
`;

export function route([v1, v2]: readonly [number, number]): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: digits, namespace: models}
spec:
  parentRefs: [{group: "", kind: Service, name: digits}]
  rules:
    - backendRefs:
        - {name: digits-v1, port: 80, weight: ${v1}}
        - {name: digits-v2, port: 80, weight: ${v2}}
`;
}

const callerPod = (name: string, main: string, extra: string): string => `
      serviceAccountName: ${name}
      terminationGracePeriodSeconds: 20
      containers:
        - name: app
          image: hedgerow.dev/toolbox:dev
          imagePullPolicy: Never
          command: [${repo}/node_modules/.bin/node, ${repo}/e2e/src/kubernetes/${main}]
          env: [{name: LOAD_URL, value: "http://digits.models"}]
          volumeMounts: [{name: repo, mountPath: ${repo}, readOnly: true}]${extra}
      volumes: [{name: repo, hostPath: {path: CHECKOUT, type: Directory}}]`;

/** A caller that sends requests without end and tells at port 9000, outside the mesh, how they went. */
export function caller(name: string): string {
  return `apiVersion: v1
kind: ServiceAccount
metadata: {name: ${name}, namespace: apps}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: apps}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata:
      labels: {app: ${name}}
      annotations: {hedgerow.dev/exclude-inbound-ports: "9000"}
    spec:${callerPod(name, "load-main.ts", "\n          readinessProbe: {httpGet: {path: /, port: 9000}, periodSeconds: 1}")}
`;
}

/** A Job that classifies a hundred digits and ends. */
export function nightlyJob(name: string): string {
  return `apiVersion: v1
kind: ServiceAccount
metadata: {name: nightly, namespace: apps}
---
apiVersion: batch/v1
kind: Job
metadata: {name: ${name}, namespace: apps}
spec:
  backoffLimit: 0
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      restartPolicy: Never${callerPod("nightly", "job-main.ts", "")}
`;
}
