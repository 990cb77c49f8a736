// AdminService (hedgerow.admin.v1).
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createContextKey, type Interceptor, type ServiceImpl } from "@connectrpc/connect";
import type {
  AdminService,
  GetStatusResponseSchema,
  ListProxiesResponseSchema,
} from "@hedgerow/proto/hedgerow/admin/v1/admin";
import type { Authority } from "../ca/authority.ts";
import { parseCsr } from "../ca/csr.ts";
import { ADMIN_ROLES, isAdminName, isReserved, type WorkloadIdentity } from "../ca/names.ts";
import { TOKEN_TTL_MS } from "../ca/token.ts";
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
  readonly logger: Logger;
}

/** Set by the listener that accepted the request. */
export const callerKey = createContextKey<Caller>({ kind: "stranger" });

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
      const { token, expiresAtMs } = await authority.createToken(workload, { ttlMs, reusable });
      logger.info(
        { node_id: nodeId, reusable, expires_at: new Date(expiresAtMs).toISOString(), caller: values.get(callerKey) },
        "Created join token",
      );
      return { token, expiresAt: timestampFromMs(expiresAtMs) };
    },

    createAdminCertificate: ({ csr, name, role: wanted, ttl }, { values }) => {
      const authority = requireAuthority();
      const role = ADMIN_ROLES.find((known) => known === wanted);
      if (role === undefined)
        throw new ConnectError(`role must be one of ${ADMIN_ROLES.join(", ")}`, Code.InvalidArgument);
      if (!isAdminName(name)) throw new ConnectError("name must be 1 to 63 of a-z, 0-9 and '-'", Code.InvalidArgument);
      const ttlMs = ttlMsOf(ttl, { ...ADMIN_TTL_MS, byDefault: ADMIN_TTL_MS.default });
      const request = parseCsr(csr);
      if (!request.ok) throw new ConnectError(request.problem, Code.InvalidArgument);
      const issued = authority.issueAdmin(role, name, request.publicKey, ttlMs);
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

    listLedgers: () => ({ ledgers: [], trustBundle: [...(deps.authority()?.trustBundle ?? [])] }),

    recordAuditRead: () => ({}),
  };
}
