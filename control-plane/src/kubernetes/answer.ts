// What an API server's refusal says.
import { z } from "zod";
import { cutText } from "../text.ts";
import { KubernetesError } from "./errors.ts";

const statusObject = z.looseObject({
  kind: z.literal("Status"),
  message: z.string().default(""),
  reason: z.string().default(""),
  code: z.number().optional(),
  details: z.looseObject({ retryAfterSeconds: z.number().optional() }).default({}),
});

const nothingSaid = statusObject.parse({ kind: "Status" });

/** Of words that go into logs and conditions. */
const maxMessageBytes = 1024;
/** A server that asks for more patience is asked again all the same. */
const maxRetryAfterMs = 60_000;

/** The error for an answer outside 2xx: from its Status object where it is one. */
export function answerError(status: number, text: string, retryAfter: number | undefined): KubernetesError {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Some proxies and filters answer in plain words.
    value = { kind: "Status", message: text.trim() };
  }
  return statusError(value, status, retryAfter);
}

/** The error for a Status object: of an answer, or of a watch's ERROR event (which brings its own `code`). */
export function statusError(value: unknown, status?: number, retryAfter?: number): KubernetesError {
  const parsed = statusObject.safeParse(value);
  const { message, reason, code, details } = parsed.success ? parsed.data : nothingSaid;
  const shown = cutText(message, maxMessageBytes);
  const answered = status ?? code ?? 0;
  const waitMs = retryAfter ?? retryAfterMs(details.retryAfterSeconds?.toString());
  const words = shown === "" ? `HTTP status ${answered}` : shown;
  return new KubernetesError(answered, reason, words, waitMs === undefined ? {} : { retryAfterMs: waitMs });
}

/** Milliseconds of a Retry-After header in seconds, at most a minute; undefined: none, or a date (no API server sends one). */
export function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined || !/^[0-9]{1,9}$/.test(header.trim())) return undefined;
  return Math.min(maxRetryAfterMs, Number(header) * 1000);
}
