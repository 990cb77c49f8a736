/** What a pod's proxy is given, the same for every pod. */
export interface InjectionContext {
  /** Of the control plane: `default`, or the name that namespaces choose it by. */
  readonly revision: string;
  /** Of the injector. */
  readonly version: string;
  /** The sidecar's. */
  readonly image: string;
  readonly trustDomain: string;
  /** SHA-256 of each root's DER, lower-case hexadecimal; 1 to 16. */
  readonly rootDigests: readonly string[];
  /** host:port of the control plane's enrolment, as pods reach it. */
  readonly enrollAddress: string;
  /** host:port of the control plane's mTLS port, as pods reach it. */
  readonly meshAddress: string;
  /** Envoy's worker threads, 1 to 128. */
  readonly concurrency: number;
}

export const DEFAULT_ENROLL_ADDRESS = "control-plane.hedgerow-system.svc:15010";
export const DEFAULT_MESH_ADDRESS = "control-plane.hedgerow-system.svc:15012";
export const DEFAULT_CONCURRENCY = 2;
