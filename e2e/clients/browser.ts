// In a browser: asks for one digit with Connect's own client for browsers, and leaves in the page what it learned.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { GRPCInferenceService } from "@hedgerow/proto/inference/grpc_predict_v2";

const parameters = new URLSearchParams(location.search);
const floats = Number(parameters.get("floats"));
const baseUrl = `http://127.0.0.1:${parameters.get("port")}`;
const transport =
  parameters.get("kind") === "grpc-web" ? createGrpcWebTransport({ baseUrl }) : createConnectTransport({ baseUrl });

async function ask(): Promise<object> {
  try {
    await createClient(GRPCInferenceService, transport).modelInfer({
      modelName: "digits",
      inputs: [{ name: "image", datatype: "FP32", shape: [1n, BigInt(floats)] }],
      rawInputContents: [new Uint8Array(floats * 4)],
    });
    return { code: "answered" };
  } catch (error) {
    const { code, rawMessage, metadata } = ConnectError.from(error);
    return { code: Code[code], message: rawMessage, decision: metadata.get("x-hedgerow-decision") };
  }
}

const result = document.createElement("pre");
result.textContent = JSON.stringify(await ask());
document.body.append(result);
