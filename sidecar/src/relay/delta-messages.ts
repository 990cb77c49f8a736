import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** One xDS resource: its version and the wire bytes of envoy.service.discovery.v3.Resource, which nothing here decodes. */
export interface HeldResource {
  readonly name: string;
  readonly version: string;
  readonly encoded: Uint8Array;
}

/** A DeltaDiscoveryResponse, of the control plane or to Envoy, resources still encoded. */
export interface DeltaResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly HeldResource[];
  readonly removed: readonly string[];
}

/** A DeltaDiscoveryRequest, of Envoy or to the control plane, without its node. */
export interface DeltaRequest {
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: Readonly<Record<string, string>>;
  /** Empty unless this acknowledges or refuses a response. */
  readonly responseNonce: string;
  /** Present on a NACK: Envoy's words; cut, to the control plane. */
  readonly error: string | undefined;
}

// Field numbers of envoy.service.discovery.v3.DeltaDiscoveryResponse.
const RESOURCES = 2;
const TYPE_URL = 4;
const NONCE = 5;
const REMOVED_RESOURCES = 6;

/** The wire bytes of a DeltaDiscoveryResponse around resources that stay as they came. */
export function encodeEnvoyResponse(response: DeltaResponse): Uint8Array {
  const writer = new BinaryWriter();
  for (const { encoded } of response.resources) writer.tag(RESOURCES, WireType.LengthDelimited).bytes(encoded);
  writer.tag(TYPE_URL, WireType.LengthDelimited).string(response.typeUrl);
  writer.tag(NONCE, WireType.LengthDelimited).string(response.nonce);
  for (const name of response.removed) writer.tag(REMOVED_RESOURCES, WireType.LengthDelimited).string(name);
  return writer.finish();
}
