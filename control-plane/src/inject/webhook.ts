// The admission webhooks: /inject for pods, /validate for manifests.
//
// The API server presents no certificate to webhooks unless its operator configures one, so whoever reaches the port is
// answered. That gives nobody anything: answers hold what the question held, and addresses and digests that every pod of the
// mesh has. But edits that a stranger makes up are recorded: `reviewUid` is what the API server's own audit log knows them by.
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { type ObjectReview, refusalText } from "@hedgerow/manifest";
import type { ListenAddress } from "../config.ts";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { Counter } from "../metrics/metrics.ts";
import type { InjectionContext } from "./context.ts";
import { type PolicyEdit, policyEdit } from "./edit.ts";
import { jsonPatch } from "./json-patch.ts";
import { injectPod } from "./pod.ts";
import { BodyBudget, type BodyLimits, Refused, readBody } from "./request-body.ts";
import { type AdmissionRequest, readReview, reviewAnswer, type Verdict } from "./review.ts";

/** A certificate that is renewed while it is in use. */
export interface ServingIdentity {
  /** PEM. */
  secureContext(): { readonly key: string; readonly cert: string };
  /** Called after each renewal, until the identity is disposed of. */
  onRotate(callback: () => void): void;
}

export interface WebhookDeps {
  readonly listen: ListenAddress;
  readonly identity: ServingIdentity;
  /** Asked for every pod: the roots change. */
  readonly injection: () => InjectionContext;
  /** What is to be said of a manifest: reviewObject, with what is in force beside it. */
  readonly review: (object: unknown) => ObjectReview;
  /** Told every edit of a manifest, refused ones too, before it is answered. */
  readonly recordEdit: (edit: PolicyEdit) => void;
  readonly logger: Logger;
  /** Unix ms. Default: the clock. */
  readonly now?: () => number;
  readonly limits?: BodyLimits;
}

export interface Webhook extends AsyncDisposable {
  /** host:port that it listens on. */
  readonly address: string;
  readonly metrics: readonly Counter[];
}

const HANDSHAKE_TIMEOUT_MS = 5_000;
/** The API server waits 5 s (timeoutSeconds in the webhook configurations). */
const REQUEST_TIMEOUT_MS = 5_000;
/** Longer than the API server keeps idle connections (90 s): whoever closes first must not be the one that is sent to. */
const KEEP_ALIVE_MS = 120_000;
const MAX_CONNECTIONS = 512;
/** For requests in flight, when it stops. */
const STOP_MS = 2_000;

type Path = "inject" | "validate";
type Outcome = "patched" | "skipped" | "allowed" | "refused" | "unreadable" | "overloaded" | "failed";
const outcomes: readonly Outcome[] = ["patched", "skipped", "allowed", "refused", "unreadable", "overloaded", "failed"];

interface Answer {
  readonly verdict: Verdict;
  readonly outcome: Outcome;
}

/** Listens, over TLS 1.3. Rejects where the address can't be had. */
export async function startWebhook(deps: WebhookDeps): Promise<Webhook> {
  const requests = new Counter(
    "hedgerow_webhook_requests_total",
    "Admission requests by webhook and outcome.",
    (["inject", "validate"] as const).flatMap((webhook) => outcomes.map((outcome) => ({ webhook, outcome }))),
  );
  const budget = new BodyBudget(deps.limits);
  const context = () => ({ ...deps.identity.secureContext(), minVersion: "TLSv1.3" as const });
  const server = createServer(
    {
      ...context(),
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => void serve(request, response, { deps, requests, budget }),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on("tlsClientError", (error) => deps.logger.debug({ error: error.message }, "Webhook connection failed"));
  deps.identity.onRotate(() => server.setSecureContext(context()));
  await listen(server, deps.listen);
  return {
    address: addressOf(server),
    metrics: [requests],
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), STOP_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}

interface Serving {
  readonly deps: WebhookDeps;
  readonly requests: Counter;
  readonly budget: BodyBudget;
}

async function serve(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const path = pathOf(request);
  const end = (status: number, text: string) => {
    // What is left of the body is not read: the connection goes with it.
    if (!request.complete) response.setHeader("connection", "close");
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
  };
  if (path === undefined) return end(404, "try /inject or /validate");
  if (request.method !== "POST") return end(405, "POST an AdmissionReview");
  const count = (outcome: Outcome) => serving.requests.add({ webhook: path, outcome });
  try {
    const review = readReview(await readBody(request, serving.budget));
    if (review === undefined) {
      count("unreadable");
      return end(400, "expected an AdmissionReview of admission.k8s.io/v1");
    }
    const { verdict, outcome } = path === "inject" ? inject(review, serving.deps) : validate(review, serving.deps);
    count(outcome);
    const body = Buffer.from(JSON.stringify(reviewAnswer(review, verdict)));
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
  } catch (error) {
    if (error instanceof Refused) {
      count(error.status === 503 ? "overloaded" : "unreadable");
      if (error.status === 503) serving.deps.logger.warn({ webhook: path }, "Webhook is overloaded");
      return end(error.status, error.message);
    }
    count("failed");
    serving.deps.logger.error({ webhook: path, error: messageOf(error) }, "Webhook failed");
    end(500, "failed");
  }
}

function inject(request: AdmissionRequest, { injection, logger }: WebhookDeps): Answer {
  const isPod = request.kind.group === "" && request.kind.kind === "Pod" && request.operation === "CREATE";
  if (!isPod) return { verdict: { kind: "allow", warnings: [] }, outcome: "skipped" };
  const result = injectPod(request.object, injection());
  switch (result.kind) {
    case "patch":
      return {
        verdict: { kind: "allow", warnings: result.warnings, patch: jsonPatch(result.operations) },
        outcome: "patched",
      };
    case "skip":
      return { verdict: { kind: "allow", warnings: [] }, outcome: "skipped" };
    case "refuse":
      logger.info({ namespace: request.namespace, pod: request.name, reason: result.reason }, "Pod refused");
      return { verdict: { kind: "deny", message: result.reason, warnings: [] }, outcome: "refused" };
  }
}

function validate(request: AdmissionRequest, { review, recordEdit, now = Date.now }: WebhookDeps): Answer {
  const verdict = request.object === null ? { kind: "allow" as const, warnings: [] } : judge(review(request.object));
  recordEdit(policyEdit(request, verdict, now()));
  return { verdict, outcome: verdict.kind === "allow" ? "allowed" : "refused" };
}

function judge({ problems, warnings }: ObjectReview): Verdict {
  return problems.length === 0
    ? { kind: "allow", warnings }
    : { kind: "deny", message: refusalText(problems), warnings };
}

function pathOf({ url }: IncomingMessage): Path | undefined {
  // The API server adds ?timeout=5s.
  const path = url?.split("?", 1)[0];
  return path === "/inject" ? "inject" : path === "/validate" ? "validate" : undefined;
}

function listen(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
}
