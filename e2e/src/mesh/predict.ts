import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { DECISION_HEADER } from "@hedgerow/proto";
import { GRPCInferenceService } from "@hedgerow/proto/inference/grpc_predict_v2";
import { type Digit, PIXELS } from "./digits.ts";

export type PredictorClient = Client<typeof GRPCInferenceService>;

/** A stock Connect client; it knows nothing of the mesh but a local port. */
export function predictorClient(port: number, httpVersion: "1.1" | "2" = "2"): PredictorClient {
  return predictorClientAt(`http://127.0.0.1:${port}`, httpVersion);
}

/** As `predictorClient`, at any URL: in a pod the service's own name. */
export function predictorClientAt(baseUrl: string, httpVersion: "1.1" | "2"): PredictorClient {
  return createClient(GRPCInferenceService, createConnectTransport({ baseUrl, httpVersion }));
}

export interface Answer {
  readonly label: number;
  readonly version: string;
  /** Decision id, where the request was recorded. */
  readonly decision: string | undefined;
}

/** Asks for one digit, by the version that the service serves. */
export async function classify(client: PredictorClient, digit: Digit, timeoutMs: number = 10_000): Promise<Answer> {
  let decision: string | undefined;
  const response = await client.modelInfer(
    {
      modelName: "digits",
      inputs: [{ name: "image", datatype: "FP32", shape: [1n, BigInt(PIXELS)] }],
      outputs: [{ name: "label" }],
      rawInputContents: [digit.bytes],
    },
    {
      timeoutMs,
      onHeader: (headers) => {
        decision = headers.get(DECISION_HEADER) ?? undefined;
      },
    },
  );
  const raw = response.rawOutputContents[0];
  if (raw === undefined) throw new Error("the answer carries no raw output");
  const label = new DataView(raw.buffer, raw.byteOffset, raw.byteLength).getBigInt64(0, true);
  return { label: Number(label), version: response.modelVersion, decision };
}
