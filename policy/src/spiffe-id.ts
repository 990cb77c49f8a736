// SPIFFE ids as a mesh names its workloads (ARCHITECTURE.md, "Identity").

/** Every workload id of the trust domain starts so, and no id of a person does. */
export function workloadIdPrefix(trustDomain: string): string {
  return `spiffe://${trustDomain}/ns/`;
}

/** Every workload id of the namespace starts so. Ends in a slash: namespace `a` is no prefix of namespace `ab`. */
export function namespaceIdPrefix(trustDomain: string, namespace: string): string {
  return `${workloadIdPrefix(trustDomain)}${namespace}/sa/`;
}

export function serviceAccountId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return namespaceIdPrefix(trustDomain, namespace) + serviceAccount;
}
