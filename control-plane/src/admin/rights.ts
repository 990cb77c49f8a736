// Who may call what on the admin service (admin.proto): the one table.
import type { AdminService } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import type { AdminRole } from "../ca/names.ts";

/** Whoever may open the Unix socket is an operator; over mTLS the certificate names the role. */
export type Caller =
  | { readonly kind: "socket" }
  | { readonly kind: "certificate"; readonly role: AdminRole; readonly name: string }
  /** Over mTLS with a certificate of this trust domain that is no person's, as a workload's. */
  | { readonly kind: "stranger" };

const EVERYBODY: readonly AdminRole[] = ["viewer", "operator", "auditor"];

export const RIGHTS: Readonly<Record<keyof typeof AdminService.method, readonly AdminRole[]>> = {
  getVersion: EVERYBODY,
  getStatus: EVERYBODY,
  listProxies: EVERYBODY,
  createToken: ["operator"],
  createAdminCertificate: ["operator"],
  listLedgers: EVERYBODY,
  recordAuditRead: EVERYBODY,
};

/** What is not in the table is nobody's. `method` is the local name, as in getStatus. */
export function isAllowed(caller: Caller, method: string): boolean {
  const roles = Object.entries(RIGHTS).find(([name]) => name === method)?.[1] ?? [];
  switch (caller.kind) {
    case "socket":
      return roles.includes("operator");
    case "certificate":
      return roles.includes(caller.role);
    case "stranger":
      return false;
  }
}
