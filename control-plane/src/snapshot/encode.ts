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
 * Encodes resources, snapshot after snapshot. Resources of equal content share their bytes, and of equal origins too, the whole
 * object, whoever asks for them, for as long as somebody holds one. The key is the content: names repeat between proxies.
 */
export class ResourceEncoder {
  readonly #bytes = new WeakValues<Uint8Array>();
  readonly #resources = new WeakValues<Resource>();

  encode<Desc extends DescMessage>({ typeUrl, name, schema, message, origins }: ResourceInput<Desc>): Resource {
    const any = create(AnySchema, { typeUrl, value: toBinary(schema, message) });
    const version = createHash("sha256").update(toBinary(AnySchema, any)).digest("hex").slice(0, VERSION_DIGITS);
    const encoded = this.#bytes.get(contentKey({ typeUrl, name, version }), () =>
      toBinary(ResourceSchema, create(ResourceSchema, { name, version, resource: any })),
    );
    return this.withOrigins({ typeUrl, name, version, encoded }, origins);
  }

  /** The same content, as it came from elsewhere. */
  withOrigins({ typeUrl, name, version, encoded }: Omit<Resource, "origins">, origins: readonly Origin[]): Resource {
    const distinct = new Map(origins.map((origin) => [JSON.stringify(origin), origin]));
    const key = `${contentKey({ typeUrl, name, version })} ${[...distinct.keys()].join()}`;
    return this.#resources.get(key, () => ({ typeUrl, name, version, encoded, origins: [...distinct.values()] }));
  }
}

function contentKey({ typeUrl, name, version }: Pick<Resource, "typeUrl" | "name" | "version">): string {
  return `${typeUrl} ${name} ${version}`;
}

/** Keeps values findable, not alive. At most twice as many entries as were alive at the last look, and 1,000. */
class WeakValues<T extends object> {
  readonly #references = new Map<string, WeakRef<T>>();
  #limit = 1_000;

  get(key: string, make: () => T): T {
    const known = this.#references.get(key)?.deref();
    if (known !== undefined) return known;
    const value = make();
    this.#references.set(key, new WeakRef(value));
    if (this.#references.size > this.#limit) this.#sweep();
    return value;
  }

  #sweep(): void {
    for (const [key, reference] of this.#references) if (reference.deref() === undefined) this.#references.delete(key);
    this.#limit = 2 * this.#references.size + 1_000;
  }
}

// 128 bits: two contents of one version would be taken for the same by every proxy.
const VERSION_DIGITS = 32;
