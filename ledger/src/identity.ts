/** Whose a ledger is: ledger.json. */
export interface LedgerIdentity {
  readonly format: 1;
  /** UUID. */
  readonly ledger: string;
  /** NAMESPACE/NAME of the workload, or hedgerow-system/NAME of a control plane's replica. */
  readonly node: string;
  /** Its SPIFFE id. */
  readonly spiffe: string;
  /** NAMESPACE/NAME of the AuditPolicy; of a control plane `control-plane`. */
  readonly policy: string;
}

/** Undefined: not what ledger.json holds. */
export function parseIdentity(text: string): LedgerIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("format" in value) || value.format !== 1) return undefined;
    const { ledger, node, spiffe, policy } = value as Readonly<Record<string, unknown>>;
    if (typeof ledger !== "string" || typeof node !== "string") return undefined;
    if (typeof spiffe !== "string" || typeof policy !== "string") return undefined;
    return { format: 1, ledger, node, spiffe, policy };
  } catch {
    return undefined;
  }
}
