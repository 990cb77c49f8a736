import type { PolicyEdited } from "@hedgerow/ledger";
import type { PolicyEdit } from "../inject/edit.ts";

/** An edit that the webhook judged; undefined: a trial, of which nothing was to be kept. */
export function policyEdited(edit: PolicyEdit): PolicyEdited | undefined {
  const { operation, allowed, kind, namespace, name, generation, user, spec, refusal, dryRun } = edit;
  if (dryRun) return undefined;
  const operations = { CREATE: "create", UPDATE: "update", DELETE: "delete", CONNECT: "update" } as const;
  return {
    type: "policy.edited",
    operation: allowed ? operations[operation] : "refused",
    kind,
    namespace,
    name,
    ...(generation === undefined ? {} : { generation }),
    by: user,
    ...(spec === undefined ? {} : { spec }),
    ...(refusal === undefined ? {} : { problem: refusal }),
  };
}
