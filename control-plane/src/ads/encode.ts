import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Push } from "./order.ts";

// Fields of envoy.service.discovery.v3.DeltaDiscoveryResponse.
const SYSTEM_VERSION_INFO = 1;
const RESOURCES = 2;
const TYPE_URL = 4;
const NONCE = 5;
const REMOVED_RESOURCES = 6;

/**
 * Wire bytes of one DeltaDiscoveryResponse around resources that are encoded already: a copy, no encoding.
 * `systemVersionInfo` is for people who debug.
 */
export function encodeResponse(push: Push, nonce: string, systemVersionInfo: string): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(SYSTEM_VERSION_INFO, WireType.LengthDelimited).string(systemVersionInfo);
  for (const { encoded } of push.resources) writer.tag(RESOURCES, WireType.LengthDelimited).bytes(encoded);
  writer.tag(TYPE_URL, WireType.LengthDelimited).string(push.typeUrl);
  writer.tag(NONCE, WireType.LengthDelimited).string(nonce);
  for (const name of push.removed) writer.tag(REMOVED_RESOURCES, WireType.LengthDelimited).string(name);
  return writer.finish();
}
