import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AdminService } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import type { Endpoint } from "./endpoint.ts";
import { describeFailure } from "./failure.ts";
import { readClientTls } from "./tls.ts";

export type AdminClient = Client<typeof AdminService>;

/** A person waits: rather an error than silence. */
const TIMEOUT_MS = 10_000;
/** Thousands of proxies fit; more is no answer of a control plane. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** @throws CliError usage, refused: see readClientTls. */
function adminClient(endpoint: Endpoint, nowMs: number): AdminClient {
  const target =
    endpoint.kind === "socket"
      ? { baseUrl: "http://localhost", nodeOptions: { socketPath: endpoint.path } }
      : { baseUrl: `https://${endpoint.address}`, nodeOptions: readClientTls(endpoint, nowMs) };
  return createClient(
    AdminService,
    createConnectTransport({
      ...target,
      httpVersion: "1.1",
      defaultTimeoutMs: TIMEOUT_MS,
      readMaxBytes: MAX_ANSWER_BYTES,
    }),
  );
}

/** Asks the control plane. @throws CliError for every failure, saying what to do. */
export async function askAdmin<T>(
  endpoint: Endpoint,
  nowMs: number,
  ask: (client: AdminClient) => Promise<T>,
): Promise<T> {
  const client = adminClient(endpoint, nowMs);
  try {
    return await ask(client);
  } catch (error) {
    throw describeFailure(error, endpoint);
  }
}
