import { execFileSync } from "node:child_process";
import { createHash, createPrivateKey, sign, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import type { RecordBody } from "@hedgerow/ledger";
import { checkpointDigest, claimsOfCheckpoint, type LedgerIdentity } from "@hedgerow/ledger";
import { Checkpointer, type LedgerWriter, openLedger, type Witness } from "@hedgerow/ledger/store";
import { type WitnessedLedger, WitnessedLedgerSchema } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import { makeCertificate, type Pem } from "./certificates.ts";

export interface WrittenLedger {
  readonly directory: string;
  /** UUID. */
  readonly id: string;
}

/** The authority and witness of a mesh, with certificates by openssl, and ledgers by the real writer. */
export class MeshAuthority {
  readonly directory: string;
  readonly roots: string;
  readonly rootDer: Uint8Array;
  readonly witnessed = new Map<string, WitnessedLedger>();
  readonly #root: Pem;
  #certificates = 0;

  /** `directory` must be there; the authority's own files are made in it. */
  constructor(directory: string, trustDomain = "bank.example") {
    this.directory = directory;
    this.#root = makeCertificate(directory, `root-${trustDomain}`, `URI:spiffe://${trustDomain}`);
    this.roots = this.#root.cert;
    this.rootDer = new X509Certificate(readFileSync(this.#root.cert)).raw;
  }

  /** A ledger of `bodies`, with a checkpoint after every `every` of them and at the end, closed segments at `roll`. */
  async write(
    name: string,
    bodies: readonly RecordBody[],
    options: {
      readonly identity?: Partial<LedgerIdentity>;
      readonly key?: Buffer;
      readonly every?: number;
      /** Positions before which a segment ends. */
      readonly roll?: readonly number[];
      /** Records at the end that no checkpoint covers. */
      readonly uncovered?: number;
      readonly region?: string;
      /** Certificates begin when they are made: default in a minute. */
      readonly timeMs?: number;
      readonly witness?: boolean;
    } = {},
  ): Promise<WrittenLedger> {
    const { every = Number.POSITIVE_INFINITY, roll = [], uncovered = 0, timeMs = Date.now() + 60_000 } = options;
    const node = options.identity?.node ?? "models/digits-1";
    const spiffe = options.identity?.spiffe ?? "spiffe://bank.example/ns/models/sa/digits";
    const policy = options.identity?.policy ?? "models/models";
    const directory = join(this.directory, name);
    let nowMs = timeMs;
    await using writer = await openLedger({
      directory,
      node,
      spiffe,
      policy,
      durability: { each: false, everyMs: 1 },
      now: () => nowMs,
      ...(options.key && { keyEncryptionKey: options.key }),
      ...(options.region && { region: options.region }),
    });
    await using checkpointer = new Checkpointer({
      writer,
      node,
      spiffe: () => spiffe,
      witness: this.#witness({ node, spiffe, policy }, options.witness ?? true),
      now: () => nowMs,
      log: {
        warn: () => undefined,
        error: (fields) => {
          throw new Error(JSON.stringify(fields));
        },
      },
    });
    for (const [index, body] of bodies.entries()) {
      nowMs += 1;
      if (roll.includes(index)) await writer.rollSegment();
      await writer.append(body);
      if ((index + 1) % every === 0 && index < bodies.length - uncovered) await checkpointer.checkpointNow();
      if (index === bodies.length - uncovered - 1) await checkpointer.checkpointNow();
    }
    return { directory, id: (writer satisfies LedgerWriter).id };
  }

  #witness({ node, spiffe, policy }: Pick<LedgerIdentity, "node" | "spiffe" | "policy">, isThere: boolean): Witness {
    return {
      certify: (publicKey) =>
        Promise.resolve({ chain: [this.#certify(publicKey, spiffe, node)], notAfterMs: Date.now() + 90 * 86_400_000 }),
      countersign: (checkpoint) => {
        if (!isThere) return Promise.reject(new Error("away"));
        const claims = claimsOfCheckpoint(checkpoint);
        if (claims === undefined) return Promise.resolve({ kind: "refused", problem: "none" });
        const witness = this.#countersign(
          claims.ledger,
          claims.seq,
          claims.head,
          checkpointDigest(checkpoint),
          claims.iat + 1,
        );
        this.witnessed.set(
          claims.ledger,
          create(WitnessedLedgerSchema, {
            ledger: claims.ledger,
            nodeId: node,
            spiffeId: spiffe,
            policy,
            checkpoint,
            witness,
          }),
        );
        return Promise.resolve({ kind: "witnessed", witness });
      },
    };
  }

  /** Certified as the control plane does: one name of the workload and one of its instance. */
  #certify(publicKey: Uint8Array, spiffe: string, node: string): Uint8Array {
    this.#certificates += 1;
    const files = join(this.directory, `certified-${this.#certificates}`);
    mkdirSync(files);
    const at = (name: string) => join(files, name);
    const [namespace, name] = node.split("/");
    writeFileSync(at("key.der"), publicKey);
    writeFileSync(
      at("extensions"),
      `basicConstraints=critical,CA:FALSE\nextendedKeyUsage=1.3.6.1.5.5.7.3.37\nsubjectAltName=URI:${spiffe},DNS:${name}.${namespace}.instance.hedgerow.internal\n`,
    );
    const openssl = (command: string) => execFileSync("openssl", command.split(" "), { stdio: "pipe" });
    openssl(`pkey -pubin -inform DER -in ${at("key.der")} -pubout -out ${at("key.pem")}`);
    openssl(`ecparam -name prime256v1 -genkey -noout -out ${at("request.key")}`);
    openssl(`req -new -key ${at("request.key")} -subj /CN=checkpoint -out ${at("request.pem")}`);
    openssl(
      `x509 -req -in ${at("request.pem")} -force_pubkey ${at("key.pem")} -CA ${this.#root.cert} -CAkey ${this.#root.key} -days 3650 -extfile ${at("extensions")} -outform DER -out ${at("leaf.der")}`,
    );
    return readFileSync(at("leaf.der"));
  }

  #countersign(ledger: string, seq: number, head: string, checkpoint: string, iat: number): string {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const kid = createHash("sha256").update(this.rootDer).digest("hex");
    const signed = `${encode({ alg: "ES256", typ: "hedgerow-witness+jwt", kid })}.${encode({ iss: "spiffe://bank.example", iat, ledger, seq, head, checkpoint })}`;
    const key = createPrivateKey(readFileSync(this.#root.key));
    return `${signed}.${sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  }
}
