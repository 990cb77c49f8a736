import type { OtherRead } from "./read-result.ts";

/** What a path asks for, before anything else of the request is looked at. */
export type Target =
  /** ModelInfer of gRPC's path, in whatever protocol; the query is a Connect GET's. */
  | { readonly kind: "rpc"; readonly query: string }
  | { readonly kind: "rest"; readonly model: string; readonly version: string | undefined }
  | {
      readonly kind: "other";
      readonly method: OtherRead["method"];
      readonly model?: string;
      readonly version?: string;
    }
  /** Some server would take it for one of the two first, and some would not. */
  | { readonly kind: "disguised" };

const SERVICE = "/inference.GRPCInferenceService/";
const RPC_METHODS: ReadonlyMap<string, OtherRead["method"]> = new Map([
  [`${SERVICE}ServerLive`, "live"],
  [`${SERVICE}ServerReady`, "ready"],
  [`${SERVICE}ModelReady`, "ready"],
  [`${SERVICE}ServerMetadata`, "metadata"],
  [`${SERVICE}ModelMetadata`, "metadata"],
  [`${SERVICE}ModelStreamInfer`, "stream"],
  ["/grpc.health.v1.Health/Check", "ready"],
  ["/grpc.health.v1.Health/Watch", "ready"],
  ["/v2", "metadata"],
  ["/v2/health/live", "live"],
  ["/v2/health/ready", "ready"],
]);
// A segment is what no two servers take apart or unescape differently: no "%", ";" or backslash.
const SEGMENT = "[A-Za-z0-9._~!$&'()*,=:@+-]+";
const REST_MODEL = new RegExp(`^/v2/models/(${SEGMENT})(?:/versions/(${SEGMENT}))?(/infer|/ready)?$`);
const CANONICAL_INFER = /^\/(?:inference\.grpcinferenceservice\/model(?:stream)?infer|v2\/models\/.*\/infer)$/;

export function targetOf(path: string): Target {
  const at = path.search(/[?#]/);
  const bare = at === -1 ? path : path.slice(0, at);
  if (bare === `${SERVICE}ModelInfer` && !path.includes("#"))
    return { kind: "rpc", query: at === -1 ? "" : path.slice(at + 1) };
  const method = RPC_METHODS.get(bare);
  if (method !== undefined) return { kind: "other", method };
  const [, model, version, operation] = REST_MODEL.exec(bare) ?? [];
  if (model !== undefined && !isDots(model) && (version === undefined || !isDots(version))) {
    if (operation === "/infer") return path.includes("#") ? { kind: "disguised" } : { kind: "rest", model, version };
    const named = { model, ...(version === undefined ? {} : { version }) };
    return { kind: "other", method: operation === "/ready" ? "ready" : "metadata", ...named };
  }
  return CANONICAL_INFER.test(canonical(bare)) ? { kind: "disguised" } : { kind: "other", method: "http" };
}

const isDots = (segment: string) => segment === "." || segment === "..";

/** As the most forgiving server would read it. */
function canonical(path: string): string {
  let text = path;
  for (let rounds = 0; rounds < 3 && text.includes("%"); rounds++) text = unescaped(text);
  const segments: string[] = [];
  for (const segment of text.toLowerCase().split(/[/\\]+/)) {
    // Some servers take what follows a semicolon for parameters; blanks and control characters get lost.
    const name = segment.replace(/;.*/s, "").replace(/[^\x21-\x7e]/g, "");
    if (name === "..") segments.pop();
    else if (name !== "" && name !== ".") segments.push(name);
  }
  return `/${segments.join("/")}`;
}

/** Each escape by itself, so that a broken one does not hide the others. */
const unescaped = (text: string) =>
  text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
