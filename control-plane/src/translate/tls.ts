import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { type TextMatch, workloadIdPrefix } from "@hedgerow/policy";
import { type TransportSocket, TransportSocketSchema } from "@hedgerow/proto/envoy/config/core/v3/base";
import {
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from "@hedgerow/proto/envoy/extensions/transport_sockets/tls/v3/common";
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "@hedgerow/proto/envoy/extensions/transport_sockets/tls/v3/tls";
import type { ServicePort } from "../model/model.ts";
import { SDS_SOURCE } from "./config-source.ts";
import { meshServerName } from "./names.ts";
import { stringMatcher } from "./string-matcher.ts";

/** What a sidecar demands of its callers: a certificate of a workload of this mesh. For HTTP. */
export function inboundTls(trustDomain: string): TransportSocket {
  return downstreamTls([{ kind: "prefix", value: workloadIdPrefix(trustDomain) }], HTTP_ALPN);
}

/** The same for connections that carry no HTTP, and of some callers only: never of none. */
export function inboundTcpTls(callers: readonly TextMatch[]): TransportSocket {
  return downstreamTls(callers, []);
}

/** What HTTP is called in a handshake. */
export const HTTP_ALPN: readonly string[] = ["h2", "http/1.1"];

function downstreamTls(peers: readonly TextMatch[], alpnProtocols: readonly string[]): TransportSocket {
  // No matcher at all would accept every identity of the mesh.
  if (peers.length === 0) throw new Error("a listener of the mesh needs to know whom it accepts");
  const context = create(DownstreamTlsContextSchema, {
    commonTlsContext: { ...commonContext(peers), alpnProtocols: [...alpnProtocols] },
    requireClientCertificate: true,
    // A resumed session would not check the certificate again.
    sessionTicketKeysType: { case: "disableStatelessSessionResumption", value: true },
    disableStatefulSessionResumption: true,
  });
  return transportSocket(anyPack(DownstreamTlsContextSchema, context));
}

/** What a caller demands of a service: one of these SPIFFE ids; where there is none, an id that nobody gets. */
export function outboundTls(
  trustDomain: string,
  { id, spiffeIds }: Pick<ServicePort, "id" | "spiffeIds">,
): TransportSocket {
  // No matcher at all would accept every identity of the mesh.
  const accepted = spiffeIds.length > 0 ? spiffeIds : [`spiffe://${trustDomain}/nobody`];
  const context = create(UpstreamTlsContextSchema, {
    sni: meshServerName(id),
    // The ALPN follows the protocol that the caller spoke: none for what is no HTTP.
    commonTlsContext: commonContext(accepted.map((value) => ({ kind: "exact", value }))),
    maxSessionKeys: 0,
  });
  return transportSocket(anyPack(UpstreamTlsContextSchema, context));
}

function commonContext(peers: readonly TextMatch[]): MessageInitShape<typeof CommonTlsContextSchema> {
  return {
    tlsParams: {
      // A client of Envoy goes up to TLS 1.2 unless told otherwise.
      tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      ecdhCurves: ["P-256"],
    },
    tlsCertificateSdsSecretConfigs: [{ name: "svid", sdsConfig: SDS_SOURCE }],
    validationContextType: {
      case: "combinedValidationContext",
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: peers.map((peer) => ({
            sanType: SubjectAltNameMatcher_SanType.URI,
            matcher: stringMatcher(peer),
          })),
        },
        validationContextSdsSecretConfig: { name: "trust-bundle", sdsConfig: SDS_SOURCE },
      },
    },
  };
}

function transportSocket(typedConfig: Any): TransportSocket {
  return create(TransportSocketSchema, {
    name: "envoy.transport_sockets.tls",
    configType: { case: "typedConfig", value: typedConfig },
  });
}
