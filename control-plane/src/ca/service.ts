// EnrollmentService and CertificateService (hedgerow.ca.v1).
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ServerUnaryCall, status } from "@grpc/grpc-js";
import { grpcService } from "@hedgerow/proto";
import {
  CertificateService,
  EnrollmentService,
  type EnrollRequest,
  type EnrollResponse,
  type RenewRequest,
  type RenewResponse,
} from "@hedgerow/proto/hedgerow/ca/v1/ca";
import type { Logger } from "../logger.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import type { Attestation } from "./attestation.ts";
import type { Authority, IssuedCertificate } from "./authority.ts";
import { peerOfCall } from "./call-peer.ts";
import { parseCsr } from "./csr.ts";
import { isReserved, type WorkloadIdentity, workloadId } from "./names.ts";
import { RateLimit } from "./rate-limit.ts";
import { claimsToBeJoinToken } from "./service-account-token.ts";
import type { SpentTokens } from "./spent-tokens.ts";
import { MAX_TOKEN_BYTES } from "./token.ts";

export type Outcome = "issued" | "refused" | "limited" | "failed";

export interface IssuanceDeps {
  readonly authority: Authority;
  /** Undefined among replicas, which can't tell each other what is spent: single-use tokens are refused then. */
  readonly spentTokens: SpentTokens | undefined;
  /** The Workload of that node id as the manifests have it now. */
  readonly workload: (nodeId: NodeId) => WorkloadIdentity | undefined;
  /** The pod of that node id as the cluster has it now. */
  readonly pod: (nodeId: NodeId) => WorkloadIdentity | undefined;
  /** Whose token of a service account this is; undefined where there is no cluster to ask. */
  readonly attestPod: ((token: string) => Promise<Attestation>) | undefined;
  /** Lifetime of an SVID that is issued now. */
  readonly svidLifetimeMs: () => number;
  readonly now: () => number;
  readonly logger: Logger;
  /** Told of every SVID before it is handed out; never rejects: a mesh must not end with a full disk. */
  readonly issued: (certificate: IssuedCertificate, nodeId: NodeId) => Promise<void>;
  /** Told of every answer, for metrics. */
  readonly counted: (method: "enroll" | "renew", outcome: Outcome) => void;
}

/** An answer with a gRPC status; `details` goes to the caller, `cause` to the log alone. */
interface Refusal {
  readonly code: status;
  readonly details: string;
  readonly cause?: string;
  readonly nodeId?: NodeId;
  /** One of a flood: not worth a line each. */
  readonly isLimited?: true;
}

type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

const refuse = (refusal: Refusal) => ({ ok: false, refusal }) as const;
const limited = (what: string, nodeId?: NodeId) =>
  refuse({
    code: status.RESOURCE_EXHAUSTED,
    details: `too many ${what}, try again in seconds`,
    isLimited: true,
    ...(nodeId === undefined ? {} : { nodeId }),
  });

// Before the token is checked, all that is known of a caller is its address; a fleet may start behind one.
const ENROLL_LIMIT = { perSecond: 50, burst: 500, maxKeys: 10_000 };
const RENEW_LIMIT = { perSecond: 1, burst: 10, maxKeys: 100_000 };

async function issueSvid(
  { authority, svidLifetimeMs, issued }: IssuanceDeps,
  identity: WorkloadIdentity,
  publicKey: Uint8Array,
) {
  const certificate = authority.issueWorkload(identity, publicKey, svidLifetimeMs());
  await issued(certificate, identity.nodeId);
  const { chain, notBeforeMs, notAfterMs, spiffeId } = certificate;
  return {
    certificateChain: [...chain],
    trustBundle: [...authority.trustBundle],
    spiffeId,
    nodeId: identity.nodeId,
    notBefore: timestampFromMs(notBeforeMs),
    notAfter: timestampFromMs(notAfterMs),
  };
}

type Svid = Awaited<ReturnType<typeof issueSvid>>;

const isServed = (identity: WorkloadIdentity | undefined) => identity !== undefined && !isReserved(identity);

async function enroll(deps: IssuanceDeps, { token, csr }: EnrollRequest): Promise<Answer<Svid>> {
  const { attestPod } = deps;
  return attestPod === undefined || claimsToBeJoinToken(token)
    ? await enrollWorkload(deps, token, csr)
    : await enrollPod(deps, attestPod, token, csr);
}

async function enrollWorkload(deps: IssuanceDeps, token: string, csr: Uint8Array): Promise<Answer<Svid>> {
  const verified = await deps.authority.verifyToken(token);
  if (!verified.ok)
    return refuse({ code: status.UNAUTHENTICATED, details: "join token refused", cause: verified.problem });
  const { sub: nodeId, region, jti, exp, reusable } = verified.claims;
  const request = parseCsr(csr);
  if (!request.ok) return refuse({ code: status.INVALID_ARGUMENT, details: request.problem, nodeId });
  const workload = deps.workload(nodeId);
  if (workload === undefined || !isServed(workload))
    return refuse({ code: status.FAILED_PRECONDITION, details: `there is no Workload ${nodeId}`, nodeId });
  if (workload.region !== region)
    return refuse({ code: status.FAILED_PRECONDITION, details: "the Workload's region is not the token's", nodeId });
  // Last, so that a request that fails above does not cost the token; and on disk before the SVID exists.
  const spent = reusable ? "spent" : ((await deps.spentTokens?.spend(jti, exp)) ?? "untold");
  if (spent === "already")
    return refuse({ code: status.UNAUTHENTICATED, details: "join token refused", cause: "token is spent", nodeId });
  if (spent === "full")
    return refuse({ code: status.RESOURCE_EXHAUSTED, details: "too many spent join tokens are still alive", nodeId });
  if (spent === "untold")
    return refuse({
      code: status.UNAUTHENTICATED,
      details: "join token refused",
      cause: "token is single-use, and no replica knows whether another has taken it",
      nodeId,
    });
  return { ok: true, value: await issueSvid(deps, workload, request.publicKey) };
}

async function enrollPod(
  deps: IssuanceDeps,
  attestPod: (token: string) => Promise<Attestation>,
  token: string,
  csr: Uint8Array,
): Promise<Answer<Svid>> {
  const refused = (cause: string) =>
    refuse({ code: status.UNAUTHENTICATED, details: "service-account token refused", cause });
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) return refused(`token takes more than ${MAX_TOKEN_BYTES} bytes`);
  const request = parseCsr(csr);
  if (!request.ok) return refuse({ code: status.INVALID_ARGUMENT, details: request.problem });
  const attestation = await attestPod(token);
  switch (attestation.kind) {
    case "refused":
      return refused(attestation.cause);
    case "gone":
      return refuse({ code: status.FAILED_PRECONDITION, details: attestation.details });
    case "unavailable": {
      const details = "the API server can't be asked about the token, try again in seconds";
      return refuse({ code: status.UNAVAILABLE, details, cause: attestation.cause });
    }
    case "attested": {
      const { identity } = attestation;
      if (isServed(identity)) return { ok: true, value: await issueSvid(deps, identity, request.publicKey) };
      const { nodeId } = identity;
      const details = `the service account of pod ${nodeId} is the control plane's own`;
      return refuse({ code: status.FAILED_PRECONDITION, details, nodeId });
    }
  }
}

async function renew(
  deps: IssuanceDeps,
  limit: RateLimit,
  call: ServerUnaryCall<RenewRequest, unknown>,
): Promise<Answer<Svid>> {
  const { authority } = deps;
  const peer = peerOfCall(authority.trustDomain, call, deps.now());
  if (peer?.kind !== "workload")
    return refuse({ code: status.PERMISSION_DENIED, details: "the client certificate is no workload's SVID" });
  const { nodeId } = peer;
  if (!limit.take(nodeId, deps.now())) return limited("renewals", nodeId);
  const request = parseCsr(call.request.csr);
  if (!request.ok) return refuse({ code: status.INVALID_ARGUMENT, details: request.problem, nodeId });
  // A pod that took the name of another, as a StatefulSet's do, is who that one was: same name, same account, same region.
  const standing = [deps.workload(nodeId), deps.pod(nodeId)].filter((one) => one !== undefined).filter(isServed);
  if (standing.length === 0)
    return refuse({ code: status.FAILED_PRECONDITION, details: `there is no Workload or pod ${nodeId}`, nodeId });
  // Whoever changed the identity hands out a new token: an old SVID does not turn into another.
  const same = standing.find(
    (one) => workloadId(authority.trustDomain, one) === peer.spiffeId && one.region === peer.region,
  );
  if (same !== undefined) return { ok: true, value: await issueSvid(deps, same, request.publicKey) };
  return refuse({
    code: status.FAILED_PRECONDITION,
    details: `the identity of ${nodeId} changed, enrol again`,
    nodeId,
  });
}

/** Arguments of grpc-js `addService` on the port `enroll`. */
export function enrollmentService(deps: IssuanceDeps): ReturnType<typeof grpcService> {
  const limit = new RateLimit(ENROLL_LIMIT);
  const answer = async (call: ServerUnaryCall<EnrollRequest, unknown>) => {
    const address = call.getPeer().replace(/:[0-9]+$/, "");
    if (!limit.take(address, deps.now())) return limited("enrolments");
    return await enroll(deps, call.request);
  };
  return grpcService(EnrollmentService, {
    enroll: (call: ServerUnaryCall<EnrollRequest, EnrollResponse>, callback) => {
      respond(deps, "enroll", call, answer(call), callback);
    },
  });
}

/** Arguments of grpc-js `addService` on the port `mesh`. */
export function certificateService(deps: IssuanceDeps): ReturnType<typeof grpcService> {
  const limit = new RateLimit(RENEW_LIMIT);
  const answer = (call: ServerUnaryCall<RenewRequest, unknown>) => renew(deps, limit, call);
  return grpcService(CertificateService, {
    renew: (call: ServerUnaryCall<RenewRequest, RenewResponse>, callback) => {
      respond(deps, "renew", call, answer(call), callback);
    },
  });
}

function respond(
  { logger, counted }: IssuanceDeps,
  method: "enroll" | "renew",
  call: { getPeer(): string },
  answer: Promise<Answer<Svid>>,
  callback: (error: { code: status; details: string } | null, response?: { svid: Svid }) => void,
): void {
  answer.then(
    (outcome) => {
      if (outcome.ok) {
        const { nodeId, spiffeId, notAfter } = outcome.value;
        logger.info(
          { method, node_id: nodeId, spiffe_id: spiffeId, not_after: Number(notAfter.seconds) },
          "Issued SVID",
        );
        counted(method, "issued");
        callback(null, { svid: outcome.value });
        return;
      }
      const { code, details, cause, nodeId, isLimited = false } = outcome.refusal;
      logger[isLimited ? "debug" : "warn"](
        { method, node_id: nodeId, peer: call.getPeer(), grpc_status: status[code], details, cause },
        "Refused SVID",
      );
      counted(method, isLimited ? "limited" : "refused");
      callback({ code, details });
    },
    (error: unknown) => {
      logger.error({ method, peer: call.getPeer(), err: error }, "Failed to issue SVID");
      counted(method, "failed");
      callback({ code: status.INTERNAL, details: "the control plane failed, its log says why" });
    },
  );
}
