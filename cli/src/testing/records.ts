import type {
  Decision,
  LedgerIdentity,
  Outcome,
  PolicyEdited,
  RecordBody,
  RecordHeader,
  Refusal,
} from "@hedgerow/ledger";

const reader = "spiffe://bank.example/ns/apps/sa/reader";
export const batchJob = "spiffe://bank.example/ns/apps/sa/batch-job";

export const digitsLedger: LedgerIdentity = {
  format: 1,
  ledger: "2b0f7a5e-7a53-4a53-9d0e-0f5a1f0f5a1f",
  node: "models/digits-1",
  spiffe: "spiffe://bank.example/ns/models/sa/digits",
  policy: "models/models",
};

export function decision(id: string, changes: Partial<Decision> = {}): Decision {
  return {
    type: "decision",
    id,
    request: `request-${id}`,
    caller: reader,
    port: 8443,
    protocol: "grpc",
    method: "infer",
    model: "digits",
    version: "2",
    inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 28, 28] }],
    access: { policy: "models/digits", generation: 3, rule: "readers" },
    verdict: "allow",
    bodyBytes: 3_137,
    ...changes,
  };
}

/** As an access rule refuses. */
export function denial(id: string, changes: Partial<Decision> = {}): Decision {
  return decision(id, {
    caller: batchJob,
    access: { policy: "models/digits", generation: 3 },
    verdict: "deny",
    status: 403,
    reason: "access",
    ...changes,
  });
}

export function outcome(id: string, changes: Partial<Outcome> = {}): Outcome {
  return { type: "outcome", id, result: "answered", status: 200, grpcStatus: 0, durationMs: 4, ...changes };
}

export function refusal(request: string, changes: Partial<Refusal> = {}): Refusal {
  return {
    type: "refusal",
    request,
    caller: batchJob,
    port: 8443,
    method: "POST",
    path: "/v2/models/digits/infer",
    status: 413,
    details: "request_payload_too_large",
    at: "2026-11-24T09:00:00.000Z",
    ...changes,
  };
}

export function policyEdit(operation: PolicyEdited["operation"], changes: Partial<PolicyEdited> = {}): PolicyEdited {
  return {
    type: "policy.edited",
    operation,
    kind: "AccessPolicy",
    namespace: "models",
    name: "digits",
    generation: 1,
    by: "ada@bank.example",
    spec: {
      targetRefs: [{ kind: "Service", name: "digits" }],
      allow: [{ name: "readers", from: [{ serviceAccount: "apps/reader" }], methods: ["infer"] }],
    },
    ...changes,
  };
}

/** As a writer numbers and dates it. */
export function written<Body extends RecordBody>(
  seq: number,
  body: Body,
  time = "2026-11-24T09:00:00.000Z",
): RecordHeader & Body {
  return { seq, time, ...body };
}
