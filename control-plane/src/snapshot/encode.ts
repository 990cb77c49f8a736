import { createHash } from "node:crypto";
import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import type { AdsTypeUrl } from "@hedgerow/proto";
import { ResourceSchema } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import type { Origin, Resource } from "./snapshot.ts";

export interface ResourceInput<Desc extends DescMessage> {
  readonly typeUrl: AdsTypeUrl;
  readonly name: string;
  readonly schema: Desc;
  /** Its maps in a fixed order: bytes follow that order. */
  readonly message: MessageShape<Desc>;
  /** In order of importance, never empty; repeats are dropped. */
  readonly origins: readonly Origin[];
}

/**
 * Encodes the resources of one snapshot. Resources of equal content share their bytes, and of equal origins too, the whole
 * object, whoever asks for them. The key is the content: names repeat between proxies.
 */
export class ResourceEncoder {
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #resources = new Map<string, Resource>();

  encode<Desc extends DescMessage>({ typeUrl, name, schema, message, origins }: ResourceInput<Desc>): Resource {
    const any = create(AnySchema, { typeUrl, value: toBinary(schema, message) });
    const version = createHash("sha256").update(toBinary(AnySchema, any)).digest("hex").slice(0, VERSION_DIGITS);
    const contentKey = `${typeUrl} ${name} ${version}`;
    let encoded = this.#bytes.get(contentKey);
    if (encoded === undefined) {
      encoded = toBinary(ResourceSchema, create(ResourceSchema, { name, version, resource: any }));
      this.#bytes.set(contentKey, encoded);
    }
    const distinct = new Map(origins.map((origin) => [JSON.stringify(origin), origin]));
    const key = `${contentKey} ${[...distinct.keys()].join()}`;
    let resource = this.#resources.get(key);
    if (resource === undefined) {
      resource = { typeUrl, name, version, encoded, origins: [...distinct.values()] };
      this.#resources.set(key, resource);
    }
    return resource;
  }
}

// 128 bits: two contents of one version would be taken for the same by every proxy.
const VERSION_DIGITS = 32;
