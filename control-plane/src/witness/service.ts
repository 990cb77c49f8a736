// WitnessService (hedgerow.witness.v1), on the port `mesh`.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ServerUnaryCall, status } from "@grpc/grpc-js";
import { MAX_CHECKPOINT_BYTES, readCheckpoint } from "@hedgerow/ledger";
import { grpcService } from "@hedgerow/proto";
import {
  type CertifyKeyRequest,
  type CertifyKeyResponse,
  type CountersignRequest,
  type CountersignResponse,
  WitnessService,
} from "@hedgerow/proto/hedgerow/witness/v1/witness";
import type { Authority, IssuedCertificate } from "../ca/authority.ts";
import { peerOfCall } from "../ca/call-peer.ts";
import type { CertifiedPeer } from "../ca/peer.ts";
import { RateLimit } from "../ca/rate-limit.ts";
import type { Logger } from "../logger.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { isEd25519 } from "./ed25519.ts";
import type { Taken, WitnessStore } from "./store.ts";

export const WITNESS_METHODS = ["certify_key", "countersign"] as const;
export type WitnessMethod = (typeof WITNESS_METHODS)[number];
/** `behind`: the writer was told where to go on. `contradicted`: what was witnessed says otherwise, which no honest ledger can. */
export const WITNESS_OUTCOMES = ["signed", "behind", "contradicted", "refused", "limited", "failed"] as const;
export type WitnessOutcome = (typeof WITNESS_OUTCOMES)[number];

export interface WitnessDeps {
  readonly authority: Authority;
  readonly store: WitnessStore;
  /** Told of every certificate before it is handed out; never rejects. */
  readonly certified: (issued: IssuedCertificate, nodeId: NodeId) => Promise<void>;
  /** Unix ms. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly counted: (method: WitnessMethod, outcome: WitnessOutcome) => void;
}

// Of one workload. A key for each ledger at each start; a checkpoint of each ledger every 10 s and wherever a segment ends.
const CERTIFY_LIMIT = { perSecond: 0.5, burst: 64, maxKeys: 100_000 };
const COUNTERSIGN_LIMIT = { perSecond: 10, burst: 200, maxKeys: 100_000 };
/** What is begun is known forever. */
const OPEN_LIMIT = { perSecond: 1 / 60, burst: 64, maxKeys: 100_000 };
const POLICY = /^[a-z0-9.-]{1,253}\/[a-z0-9.-]{1,253}$/;

type Answer<T> =
  | { readonly ok: true; readonly value: T; readonly outcome: "signed" | "behind" }
  | {
      readonly ok: false;
      readonly code: status;
      readonly details: string;
      readonly outcome: "contradicted" | "refused" | "limited";
    };

const refuse = (code: status, details: string, outcome: "contradicted" | "refused" | "limited" = "refused") =>
  ({ ok: false, code, details, outcome }) as const;
const limited = (what: string) =>
  refuse(status.RESOURCE_EXHAUSTED, `too many ${what}, try again in seconds`, "limited");

type Workload = Extract<CertifiedPeer, { kind: "workload" }>;

/** Arguments of grpc-js `addService`. */
export function witnessService(deps: WitnessDeps): ReturnType<typeof grpcService> {
  const { authority, now } = deps;
  const limits = {
    certify: new RateLimit(CERTIFY_LIMIT),
    countersign: new RateLimit(COUNTERSIGN_LIMIT),
    open: new RateLimit(OPEN_LIMIT),
  };
  const certify = async (peer: Workload, { publicKey }: CertifyKeyRequest) => {
    if (!limits.certify.take(peer.nodeId, now())) return limited("keys");
    if (!isEd25519(publicKey))
      return refuse(status.INVALID_ARGUMENT, "public_key is no SubjectPublicKeyInfo of an Ed25519 key");
    const serviceAccount = peer.spiffeId.slice(peer.spiffeId.lastIndexOf("/") + 1);
    const { nodeId, region } = peer;
    const issued = authority.issueWorkloadCheckpointKey({ nodeId, region, serviceAccount }, publicKey);
    await deps.certified(issued, nodeId);
    const value = { certificateChain: [...issued.chain], notAfter: timestampFromMs(issued.notAfterMs) };
    return { ok: true, value, outcome: "signed" } as const;
  };
  const countersign = async (peer: Workload, { checkpoint, policy }: CountersignRequest) => {
    const { nodeId, spiffeId } = peer;
    if (!limits.countersign.take(nodeId, now())) return limited("checkpoints");
    if (!POLICY.test(policy)) return refuse(status.INVALID_ARGUMENT, "policy is not NAMESPACE/NAME");
    if (checkpoint.length > MAX_CHECKPOINT_BYTES)
      return refuse(status.INVALID_ARGUMENT, `checkpoint takes more than ${MAX_CHECKPOINT_BYTES} bytes`);
    const read = readCheckpoint(checkpoint, authority.trustBundle);
    if (!read.ok) return refuse(status.INVALID_ARGUMENT, read.problem);
    const { claims, digest, notBeforeMs, notAfterMs } = read.value;
    if (claims.node !== nodeId || claims.iss !== spiffeId)
      return refuse(status.PERMISSION_DENIED, `checkpoint is of ${claims.node}, you are ${nodeId}`);
    if (now() < notBeforeMs || now() >= notAfterMs)
      return refuse(status.INVALID_ARGUMENT, "checkpoint's certificate has expired, have a new key certified");
    if (!deps.store.knows(claims.ledger) && !limits.open.take(nodeId, now())) return limited("new ledgers");
    const taken = await deps.store.take({ nodeId, spiffeId, policy, claims, digest, compact: checkpoint });
    if (taken.kind === "witnessed" && (taken.isNew || claims.closed === true))
      deps.logger.info(
        { node_id: nodeId, ledger: claims.ledger, policy, seq: claims.seq, closed: claims.closed === true },
        "Witnessed ledger",
      );
    return answerOf(taken);
  };
  return grpcService(WitnessService, {
    certifyKey: (call: ServerUnaryCall<CertifyKeyRequest, CertifyKeyResponse>, callback) =>
      respond(deps, { method: "certify_key", call, answer: certify }, callback),
    countersign: (call: ServerUnaryCall<CountersignRequest, CountersignResponse>, callback) =>
      respond(deps, { method: "countersign", call, answer: countersign }, callback),
  });
}

function answerOf(taken: Taken): Answer<{ readonly witness: string; readonly last: string }> {
  switch (taken.kind) {
    case "witnessed":
      return { ok: true, value: { witness: taken.witness, last: "" }, outcome: "signed" };
    case "behind":
      return { ok: true, value: { witness: taken.witness, last: taken.last }, outcome: "behind" };
    case "not-yours":
      return refuse(status.PERMISSION_DENIED, "the ledger is another workload's", "contradicted");
    case "contradicts":
      return refuse(status.FAILED_PRECONDITION, taken.problem, "contradicted");
    case "full":
      return refuse(status.RESOURCE_EXHAUSTED, "the witness knows as many ledgers as it can");
  }
}

function respond<Request, Value>(
  { authority, now, logger, counted }: WitnessDeps,
  {
    method,
    call,
    answer,
  }: {
    readonly method: WitnessMethod;
    readonly call: ServerUnaryCall<Request, unknown>;
    readonly answer: (peer: Workload, request: Request) => Promise<Answer<Value>>;
  },
  callback: (error: { code: status; details: string } | null, response?: Value) => void,
): void {
  const peer = peerOfCall(authority.trustDomain, call, now());
  const answered =
    peer?.kind === "workload"
      ? answer(peer, call.request)
      : Promise.resolve(refuse(status.PERMISSION_DENIED, "the client certificate is no workload's SVID"));
  const nodeId = peer?.kind === "workload" ? peer.nodeId : undefined;
  answered.then(
    (result) => {
      counted(method, result.outcome);
      if (result.ok) {
        callback(null, result.value);
        return;
      }
      const { code, details, outcome } = result;
      const fields = { method, node_id: nodeId, peer: call.getPeer(), grpc_status: status[code], details };
      if (outcome === "contradicted") logger.error(fields, "Ledger contradicts what was witnessed of it");
      else logger[outcome === "limited" ? "debug" : "warn"](fields, "Refused to witness");
      callback({ code, details });
    },
    (error: unknown) => {
      logger.error({ method, node_id: nodeId, err: error }, "Failed to witness");
      counted(method, "failed");
      callback({ code: status.UNAVAILABLE, details: "the witness can't keep what it would sign, its log says why" });
    },
  );
}
