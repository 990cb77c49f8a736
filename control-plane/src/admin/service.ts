// AdminService (hedgerow.admin.v1).
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createContextKey, type Interceptor, type ServiceImpl } from "@connectrpc/connect";
import type { RecordBody } from "@hedgerow/ledger";
import type {
  AdminService,
  GetStatusResponseSchema,
  ListProxiesResponseSchema,
} from "@hedgerow/proto/hedgerow/admin/v1/admin";
import type { WitnessedLedger } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import { type ActRecorder, certificateIssued } from "../audit/acts.ts";
import type { Authority } from "../ca/authority.ts";
import { parseCsr } from "../ca/csr.ts";
import { ADMIN_ROLES, adminId, isAdminName, isReserved, type WorkloadIdentity } from "../ca/names.ts";
import { TOKEN_TTL_MS } from "../ca/token.ts";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { type Caller, isAllowed } from "./rights.ts";

export interface AdminDeps {
  /** Of the control plane, semantic version. */
  readonly version: string;
  /** Undefined until the first MeshConfig made one. */
  readonly authority: () => Authority | undefined;
  readonly workload: (nodeId: NodeId) => WorkloadIdentity | undefined;
  /** False among replicas, which can't tell each other what is spent. */
  readonly singleUseTokens: boolean;
  readonly status: () => MessageInitShape<typeof GetStatusResponseSchema>;
  readonly proxies: () => MessageInitShape<typeof ListProxiesResponseSchema>;
  /** Undefined as long as there is no authority. */
  readonly audit: () => ActRecorder | undefined;
  /** What the witness knows: in the order of their UUIDs, those after `after`, `most` of them. */
  readonly ledgers: (after: string, most: number) => Promise<LedgerPage>;
  readonly logger: Logger;
}

export interface LedgerPage {
  readonly ledgers: readonly WitnessedLedger[];
  readonly more: boolean;
}

/** Set by the listener that accepted the request. */
export const callerKey = createContextKey<Caller>({ kind: "stranger" });

/** Of ListLedgers, about 3 KiB each. */
const LEDGERS_PAGE = 1_000;
const READ_COMMANDS = ["verify", "search", "export", "explain", "prove", "evidence"];
const MAX_READ = { ledgers: 1_000, queryLength: 1_024 };
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const ADMIN_TTL_MS = { min: 60_000, max: 720 * 3_600_000, default: 8 * 3_600_000 };

/** Refuses what the table of rights does not allow, before the request is looked at. */
export function authorize(logger: Logger): Interceptor {
  return (next) => (request) => {
    const caller = request.contextValues.get(callerKey);
    if (isAllowed(caller, request.method.localName)) return next(request);
    logger.warn({ method: request.method.name, caller }, "Refused admin call");
    throw new ConnectError("your role may not call this", Code.PermissionDenied);
  };
}

function ttlMsOf(
  ttl: Duration | undefined,
  { min, max, byDefault }: { readonly min: number; readonly max: number; readonly byDefault: number },
): number {
  const ms = ttl === undefined ? byDefault : durationMs(ttl);
  if (ms >= min && ms <= max) return ms;
  throw new ConnectError(
    `ttl is ${ms / 1000} s, must be from ${min / 1000} s to ${max / 1000} s`,
    Code.InvalidArgument,
  );
}

function callerName(caller: Caller, trustDomain: string): string {
  switch (caller.kind) {
    case "socket":
      return "admin socket";
    case "certificate":
      return adminId(trustDomain, caller.role, caller.name);
    case "stranger":
      return "stranger";
  }
}

export function adminService(deps: AdminDeps): ServiceImpl<typeof AdminService> {
  const { logger } = deps;
  const requireAuthority = () => {
    const authority = deps.authority();
    if (authority === undefined)
      throw new ConnectError(
        "there is no certificate authority before a MeshConfig names the trust domain",
        Code.FailedPrecondition,
      );
    return authority;
  };
  /** What is not recorded does not happen. */
  const record = async (body: RecordBody, refusal: string) => {
    const audit = deps.audit();
    if (audit === undefined) throw new ConnectError(`there is no audit ledger yet: ${refusal}`, Code.Unavailable);
    await audit.record(body).catch((error: unknown) => {
      throw new ConnectError(`${messageOf(error)}: ${refusal}`, Code.Unavailable);
    });
  };
  const nameOf = (caller: Caller) => callerName(caller, deps.authority()?.trustDomain ?? "");
  return {
    getVersion: () => {
      const authority = deps.authority();
      return {
        version: deps.version,
        trustDomain: authority?.trustDomain ?? "",
        rootDigests: [...(authority?.rootDigests ?? [])],
      };
    },

    getStatus: () => deps.status(),

    listProxies: () => deps.proxies(),

    createToken: async ({ nodeId, ttl, reusable }, { values }) => {
      const authority = requireAuthority();
      const ttlMs = ttlMsOf(ttl, {
        ...TOKEN_TTL_MS,
        byDefault: reusable ? TOKEN_TTL_MS.reusable : TOKEN_TTL_MS.singleUse,
      });
      if (!reusable && !deps.singleUseTokens)
        throw new ConnectError(
          "replicas of a control plane can't tell each other which single-use tokens are spent: use --reusable",
          Code.FailedPrecondition,
        );
      const workload = deps.workload(nodeId);
      if (workload === undefined) throw new ConnectError(`there is no Workload ${nodeId}`, Code.NotFound);
      if (isReserved(workload))
        throw new ConnectError(
          `the service account of Workload ${nodeId} is the control plane's own`,
          Code.InvalidArgument,
        );
      const { token, jti, expiresAtMs } = await authority.createToken(workload, { ttlMs, reusable });
      const expires = new Date(expiresAtMs).toISOString();
      const by = nameOf(values.get(callerKey));
      await record(
        { type: "token.created", node: nodeId, token: jti, reusable, expires, by },
        "no token was handed out",
      );
      logger.info(
        { node_id: nodeId, reusable, expires_at: expires, caller: values.get(callerKey) },
        "Created join token",
      );
      return { token, expiresAt: timestampFromMs(expiresAtMs) };
    },

    createAdminCertificate: async ({ csr, name, role: wanted, ttl }, { values }) => {
      const authority = requireAuthority();
      const role = ADMIN_ROLES.find((known) => known === wanted);
      if (role === undefined)
        throw new ConnectError(`role must be one of ${ADMIN_ROLES.join(", ")}`, Code.InvalidArgument);
      if (!isAdminName(name)) throw new ConnectError("name must be 1 to 63 of a-z, 0-9 and '-'", Code.InvalidArgument);
      const ttlMs = ttlMsOf(ttl, { ...ADMIN_TTL_MS, byDefault: ADMIN_TTL_MS.default });
      const request = parseCsr(csr);
      if (!request.ok) throw new ConnectError(request.problem, Code.InvalidArgument);
      const issued = authority.issueAdmin(role, name, request.publicKey, ttlMs);
      await record(certificateIssued("admin", issued), "no certificate was handed out");
      logger.info(
        {
          spiffe_id: issued.spiffeId,
          expires_at: new Date(issued.notAfterMs).toISOString(),
          caller: values.get(callerKey),
        },
        "Created admin certificate",
      );
      return {
        certificateChain: [...issued.chain],
        trustBundle: [...authority.trustBundle],
        expiresAt: timestampFromMs(issued.notAfterMs),
      };
    },

    listLedgers: async ({ after }) => {
      if (after !== "" && !UUID.test(after)) throw new ConnectError("after is no UUID", Code.InvalidArgument);
      const { ledgers, more } = await deps.ledgers(after, LEDGERS_PAGE);
      return { ledgers: [...ledgers], trustBundle: [...(deps.authority()?.trustBundle ?? [])], more };
    },

    recordAuditRead: async ({ command, ledgers, query }, { values }) => {
      if (!READ_COMMANDS.includes(command))
        throw new ConnectError(`command must be one of ${READ_COMMANDS.join(", ")}`, Code.InvalidArgument);
      if (ledgers.length > MAX_READ.ledgers || !ledgers.every((ledger) => UUID.test(ledger)))
        throw new ConnectError(`ledgers must be UUIDs, at most ${MAX_READ.ledgers}`, Code.InvalidArgument);
      // Of code points: a caller that cuts by them is not refused for a pair of surrogates.
      if (Array.from(query).length > MAX_READ.queryLength)
        throw new ConnectError(`query must have at most ${MAX_READ.queryLength} characters`, Code.InvalidArgument);
      const by = nameOf(values.get(callerKey));
      await record(
        { type: "audit.read", command, by, ledgers, ...(query === "" ? {} : { query }) },
        "the read was not recorded",
      );
      return {};
    },
  };
}
