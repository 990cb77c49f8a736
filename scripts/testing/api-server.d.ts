export interface TestApiServer extends AsyncDisposable {
  /** Path of a kubeconfig; its user may do everything. */
  readonly kubeconfig: string;
  /** Path of the Gateway API's standard CRDs, as one manifest. */
  readonly gatewayCrds: string;
  /** Where its parts have their files. */
  readonly directory: string;
  /** Ends a part, or starts it again with its data; one call at a time. Resolves once that is done. */
  component(name: "apiServer" | "etcd" | "controllerManager", action: "start" | "stop" | "kill"): Promise<void>;
  /** The environment of a command that is to find it. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs kubectl to its end, however it ends. */
  kubectl(args: readonly string[], stdin?: string): Promise<{ code: number; stdout: string; stderr: string }>;
}

/** etcd, API server and controllers, without a node; in about eight seconds. Rejects where it cannot be. */
export function startApiServer(): Promise<TestApiServer>;
