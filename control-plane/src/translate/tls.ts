import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { workloadIdPrefix } from "@hedgerow/policy";
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
import type { StringMatcherSchema } from "@hedgerow/proto/envoy/type/matcher/v3/string";
import { SDS_SOURCE } from "./config-source.ts";

/** What a sidecar demands of its callers: a certificate of a workload of this mesh. */
export function inboundTls(trustDomain: string): TransportSocket {
  const context = create(DownstreamTlsContextSchema, {
    commonTlsContext: {
      ...commonContext([{ case: "prefix", value: workloadIdPrefix(trustDomain) }]),
      alpnProtocols: ["h2", "http/1.1"],
    },
    requireClientCertificate: true,
    // A resumed session would not check the certificate again.
    sessionTicketKeysType: { case: "disableStatelessSessionResumption", value: true },
    disableStatefulSessionResumption: true,
  });
  return transportSocket(anyPack(DownstreamTlsContextSchema, context));
}

/** What a caller demands of a service: one of these SPIFFE ids; where there is none, an id that nobody gets. */
export function outboundTls(trustDomain: string, spiffeIds: readonly string[]): TransportSocket {
  // No matcher at all would accept every identity of the mesh.
  const accepted = spiffeIds.length > 0 ? spiffeIds : [`spiffe://${trustDomain}/nobody`];
  const context = create(UpstreamTlsContextSchema, {
    // The ALPN follows the protocol that the caller spoke.
    commonTlsContext: commonContext(accepted.map((value) => ({ case: "exact", value }))),
    maxSessionKeys: 0,
  });
  return transportSocket(anyPack(UpstreamTlsContextSchema, context));
}

type Pattern = NonNullable<MessageInitShape<typeof StringMatcherSchema>["matchPattern"]>;

function commonContext(peers: readonly Pattern[]): MessageInitShape<typeof CommonTlsContextSchema> {
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
          matchTypedSubjectAltNames: peers.map((matchPattern) => ({
            sanType: SubjectAltNameMatcher_SanType.URI,
            matcher: { matchPattern },
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
