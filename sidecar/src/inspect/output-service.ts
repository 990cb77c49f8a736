import { createHmac } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { DECISION_HEADER, type EncodedMessage, grpcService, INSPECT_METADATA } from "@hedgerow/proto";
import {
  ExternalProcessor,
  type ProcessingRequest,
  type ProcessingResponseSchema,
} from "@hedgerow/proto/envoy/service/ext_proc/v3/external_processor";
import type { OutputDigests } from "../ledger/outcomes/output-digests.ts";

/** Where digests of answers go, and what they are keyed with. */
export interface OutputLedger {
  readonly digestKey: Buffer;
  readonly outputs: OutputDigests;
}

type Call = ServerDuplexStream<ProcessingRequest, MessageInitShape<typeof ProcessingResponseSchema> | EncodedMessage>;

/**
 * Envoy shows it answers as they pass (ext_proc in observability mode: it expects no reply), one stream an answer; each is digested
 * piece by piece, and none is kept.
 */
export class OutputService {
  readonly #ledgers: () => Iterable<OutputLedger>;

  constructor(ledgers: () => Iterable<OutputLedger>) {
    this.#ledgers = ledgers;
  }

  /** For grpc-js `Server.addService`. */
  definition(): ReturnType<typeof grpcService> {
    return grpcService(ExternalProcessor, { process: (call) => this.#serve(call) });
  }

  #serve(call: Call): void {
    let digesting: Digesting | undefined;
    let ended = false;
    const end = (whole: boolean) => {
      if (ended) return;
      ended = true;
      digesting?.end(whole);
      call.end();
    };
    call.on("data", (message: ProcessingRequest) => {
      if (ended) return;
      digesting ??= this.#begin(message);
      if (digesting === undefined) {
        end(false);
        return;
      }
      if (digesting.take(message)) end(true);
    });
    call.on("end", () => end(false));
    call.on("cancelled", () => end(false));
    call.on("error", () => end(false));
  }

  /** Undefined: nobody asks for a digest of this answer. */
  #begin({ metadataContext, request }: ProcessingRequest): Digesting | undefined {
    const id = metadataContext?.filterMetadata[INSPECT_METADATA]?.[DECISION_HEADER];
    // Whoever missed the beginning can't digest the whole.
    if (typeof id !== "string" || request.case !== "responseHeaders") return undefined;
    for (const { outputs, digestKey } of this.#ledgers())
      if (outputs.begin(id)) return new Digesting(id, outputs, digestKey);
    return undefined;
  }
}

class Digesting {
  readonly #id: string;
  readonly #outputs: OutputDigests;
  readonly #hmac: ReturnType<typeof createHmac>;

  constructor(id: string, outputs: OutputDigests, key: Buffer) {
    this.#id = id;
    this.#outputs = outputs;
    this.#hmac = createHmac("sha256", key);
  }

  /** True at the answer's end. */
  take({ request }: ProcessingRequest): boolean {
    switch (request.case) {
      case "responseHeaders":
        return request.value.endOfStream;
      case "responseBody":
        this.#hmac.update(request.value.body);
        return request.value.endOfStream;
      case "responseTrailers":
        return true;
      case "requestHeaders":
      case "requestBody":
      case "requestTrailers":
      case undefined:
        return false;
    }
  }

  end(whole: boolean): void {
    this.#outputs.end(this.#id, whole ? this.#hmac.digest("base64url") : undefined);
  }
}
