// Stands for the agent: is shown answers by Envoy, and says nothing.
import { chmodSync } from "node:fs";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { grpcService, INSPECT_METADATA } from "@hedgerow/proto";
import {
  ExternalProcessor,
  type ProcessingRequest,
} from "@hedgerow/proto/envoy/service/ext_proc/v3/external_processor";

/** One answer, so far. */
export interface Shown {
  decision: unknown;
  readonly kinds: (string | undefined)[];
  readonly headers: string[];
  readonly parts: Uint8Array[];
  ended: boolean;
}

export class ProcessServer implements AsyncDisposable {
  /** All so far. */
  readonly shown: Shown[] = [];
  // As the agent has it: Envoy shows what it read at once, up to a buffer of 4 MiB.
  readonly #server = new Server({ "grpc.max_receive_message_length": 16 * 1024 * 1024 });

  static async start(socket: string): Promise<ProcessServer> {
    const started = new ProcessServer();
    const server = started.#server;
    server.addService(
      ...grpcService(ExternalProcessor, {
        process: (call) => {
          const shown: Shown = { decision: undefined, kinds: [], headers: [], parts: [], ended: false };
          started.shown.push(shown);
          call.on("data", (message: ProcessingRequest) => {
            take(shown, message);
            if (shown.ended) call.end();
          });
          call.on("end", () => call.end());
          call.on("error", () => undefined);
        },
      }),
    );
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve(undefined);
      else reject(error);
    });
    await promise;
    chmodSync(socket, 0o777);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    await Promise.resolve();
  }
}

function take(shown: Shown, { request, metadataContext }: ProcessingRequest): void {
  shown.kinds.push(request.case);
  shown.decision ??= metadataContext?.filterMetadata[INSPECT_METADATA]?.["x-hedgerow-decision"];
  switch (request.case) {
    case "responseHeaders":
      shown.headers.push(...(request.value.headers?.headers.map(({ key }) => key) ?? []));
      shown.ended = request.value.endOfStream;
      return;
    case "responseBody":
      shown.parts.push(request.value.body);
      shown.ended = request.value.endOfStream;
      return;
    case "responseTrailers":
      shown.ended = true;
      return;
    case "requestHeaders":
    case "requestBody":
    case "requestTrailers":
    case undefined:
      return;
  }
}
