/** What a look at the cluster brought: a value, or why it brought none. */
export type Look<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

/** A certificate, as far as it is judged. */
export interface CertificateFacts {
  /** Unix ms. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of its DER, lower-case hex. */
  readonly digest: string;
}

/** One of our webhooks, as an API server calls it. */
export interface WebhookFacts {
  /** KIND/CONFIGURATION: NAME. */
  readonly name: string;
  readonly kind: "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration";
  readonly failurePolicy: string;
  /** The namespace and name of the Service that it calls. */
  readonly service: { readonly namespace: string; readonly name: string } | undefined;
  /** Of caBundle; not ok: it holds none, or something else. */
  readonly roots: Look<readonly CertificateFacts[]>;
}

/** The answer to a request that the API server was asked only to try. */
export interface Rehearsal {
  readonly accepted: boolean;
  /** The object as it would be, or the API server's words. */
  readonly object: unknown;
  readonly words: string;
}

/** A cluster, as kubectl saw it; objects as the API server has them. */
export interface ClusterFacts {
  /** Unix ms of this machine, when the API server's clock was read. */
  readonly nowMs: number;
  /** Unix ms, from an answer's Date header: whole seconds. */
  readonly serverTimeMs: Look<number>;
  /** As of `kubectl version`, with `gitVersion`. */
  readonly serverVersion: unknown;
  readonly cliVersion: string;
  /** The definitions of our kinds as this version has them, and all that the cluster has. */
  readonly expectedDefinitions: readonly unknown[];
  readonly definitions: Look<readonly unknown[]>;
  readonly webhooks: Look<readonly WebhookFacts[]>;
  /** Our Deployment; undefined: there is none. */
  readonly deployment: Look<unknown>;
  /** EndpointSlices of our Service. */
  readonly endpointSlices: Look<readonly unknown[]>;
  /** Our Lease; undefined: there is none. */
  readonly lease: Look<unknown>;
  /** Whether a Lease that looked old was renewed while we watched; undefined: nobody had to watch. */
  readonly leaseMoved: boolean | undefined;
  readonly meshConfigs: Look<readonly unknown[]>;
  /** With managed fields. */
  readonly namespaces: Look<readonly unknown[]>;
  /** Pods with a sidecar, of all namespaces. */
  readonly meshPods: Look<readonly unknown[]>;
  /** Pods without a sidecar, of the namespaces that are in the mesh. */
  readonly otherPods: Look<readonly unknown[]>;
  /** An AccessPolicy that our webhook must refuse. */
  readonly refusal: Look<Rehearsal>;
  /** A pod that asks for a sidecar. */
  readonly injection: Look<Rehearsal>;
  /** What the webhook presents to whoever connects. */
  readonly servingCertificate: Look<CertificateFacts & { readonly trustedBy: "caBundle" | "nobody" }>;
}
