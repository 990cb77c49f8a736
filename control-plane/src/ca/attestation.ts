import type { WorkloadIdentity } from "./names.ts";

/** What became of a pod's token. `cause` is for the log alone. */
export type Attestation =
  | { readonly kind: "attested"; readonly identity: WorkloadIdentity }
  /** The token is nobody's. */
  | { readonly kind: "refused"; readonly cause: string }
  /** It was a pod's; the pod is gone, finished, or not of the mesh. `details` may be told to the caller: it proved who it is. */
  | { readonly kind: "gone"; readonly details: string }
  /** Nobody can be asked now. */
  | { readonly kind: "unavailable"; readonly cause: string };
