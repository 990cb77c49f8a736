import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeltaDiscoveryResponseSchema, ResourceSchema } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeEnvoyResponse } from "./delta-messages.ts";

test("a response around encoded resources is what protobuf-es would have written", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string(), fc.string(), fc.uint8Array())),
      fc.array(fc.string({ minLength: 1 })),
      (entries, removed) => {
        const resources = entries.map(([name, version, value]) =>
          create(ResourceSchema, { name, version, resource: { typeUrl: "type.googleapis.com/x", value } }),
        );
        const bytes = encodeEnvoyResponse({
          typeUrl: "type.googleapis.com/x",
          nonce: "1.0",
          resources: resources.map((resource) => ({
            name: resource.name,
            version: resource.version,
            encoded: toBinary(ResourceSchema, resource),
          })),
          removed,
        });
        expect(fromBinary(DeltaDiscoveryResponseSchema, bytes)).toEqual(
          create(DeltaDiscoveryResponseSchema, {
            typeUrl: "type.googleapis.com/x",
            nonce: "1.0",
            resources,
            removedResources: removed,
          }),
        );
      },
    ),
  );
});
