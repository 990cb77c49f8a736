// What a caller is told where Envoy answers by itself: a status of its protocol, and nothing of ours but an id.
//
// The agent's denials are its own work. The same of what Envoy refuses, under the request's id; where only the way to the
// application failed, Envoy's words about it stay.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { DECISION_HEADER, DENIAL_STATUSES, INSPECT_METADATA, STATUS_HEADER, UNSERVED_HEADER } from "@hedgerow/proto";
import {
  HeaderValueOption_HeaderAppendAction,
  type HeaderValueOptionSchema,
} from "@hedgerow/proto/envoy/config/core/v3/base";
import type { SubstitutionFormatStringSchema } from "@hedgerow/proto/envoy/config/core/v3/substitution_format_string";
import {
  type LocalReplyConfig,
  LocalReplyConfigSchema,
  type ResponseMapperSchema,
} from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { celFilter } from "./cel.ts";
import { UNDECIDED } from "./inspection.ts";

type Mapper = MessageInitShape<typeof ResponseMapperSchema>;
/** In CEL; what fails, as on an absent header, does not hold. */
type Condition = string;
type Format = MessageInitShape<typeof SubstitutionFormatStringSchema>;
type HeaderOption = MessageInitShape<typeof HeaderValueOptionSchema>;

// A caller's own id of its request is cut: it comes back, and may be as long as all headers.
const ID = "%REQ(X-REQUEST-ID):128%";
const REFUSED = `refused: ${ID}`;
/** Every id that Envoy makes is a UUID; only a message whose length is known fits into a frame. */
const UUID_CHARS = 36;
const IS_UUID = `request.headers['x-request-id'].size() == ${UUID_CHARS}`;

/** What gRPC and Connect call the HTTP statuses that Envoy answers with (gRPC statuscodes.md; Connect protocol, "Error Codes"). */
const CODES = [
  { http: [403], grpc: 7, connect: "permission_denied" },
  { http: [413, 431], grpc: 8, connect: "resource_exhausted" },
  { http: [503], grpc: 14, connect: "unavailable" },
  { http: [400], grpc: 3, connect: "invalid_argument" },
  { http: [404], grpc: 12, connect: "unimplemented" },
  { http: [408, 504], grpc: 4, connect: "deadline_exceeded" },
] as const;
const OTHER_CODE = { grpc: 2, connect: "unknown" } as const;

/** In CEL. NOTE: in a body it sees the status that a mapper sets, in a header the one before. */
function byStatus(of: (code: (typeof CODES)[number] | typeof OTHER_CODE) => string): string {
  const cases = CODES.map((code) => `response.code in [${code.http.join()}] ? '${of(code)}' : `);
  return `%CEL(${cases.join("")}'${of(OTHER_CODE)}')%`;
}

// As Envoy tells gRPC, for which it makes trailers of a body. application/grpc-web is another protocol.
const GRPC = contentType("grpc([+;]|$)");
const WEB_TEXT = contentType("grpc-web-text");
const WEB = contentType("grpc-web");
const CONNECT_STREAM = contentType("connect[+]");
// A Connect GET has no headers of its own.
const CONNECT =
  "request.headers['connect-protocol-version'] == '1' || (request.method == 'GET' && request.query.contains('connect=v1'))";

/** Where the way to the application failed, rather than anything refused. Source: Envoy, "Response code details". */
const UPSTREAM_FAILED = "response.code_details.matches('^(upstream_|no_healthy_upstream|cluster_not_found|.*timeout)')";

/** What the agent said. */
const INSPECTED = `metadata.filter_metadata['${INSPECT_METADATA}']`;

const ANY = "true";
const CONNECT_CODE = byStatus(({ connect }) => connect);
const DECISION = header(DECISION_HEADER, ID);
const GRPC_STATUS = header(
  "grpc-status",
  byStatus(({ grpc }) => String(grpc)),
);
/**
 * Nobody has seen the request where there was no connection to the application (flag UF), or where it could not be checked: it is
 * safe to try it elsewhere. A header without a value is not sent.
 */
const UNSERVED = header(
  UNSERVED_HEADER,
  "%CEL(response.code_details == 'ext_authz_error' || response.code_details.matches('connection_(failure|timeout)') ? '1' : '')%",
);

/** Of gRPC-Web and of Connect: what the frame that ends an answer is marked with. */
const WEB_TRAILERS = 0x80;
const CONNECT_END = 0x02;
const WEB_TYPE = "application/grpc-web+proto";
const WEB_TEXT_TYPE = "application/grpc-web-text+proto";

// A body sees the status that a mapper has set: of the one before, the header above tells. Blanks before a value mean nothing.
const PADDED_GRPC_STATUS = {
  format: "%CEL(response.headers['grpc-status'].size() == 1 ? ' ' : '')%%RESP(GRPC-STATUS)%",
  chars: 2,
};
const WEB_TEXT_STATUS = `%CEL(${CODES.map(
  ({ grpc }) => `response.headers['grpc-status'] == '${grpc}' ? '${base64Frame(`grpc-status:${grpc}\r\n`)}' : `,
).join("")}'${base64Frame(`grpc-status:${OTHER_CODE.grpc}\r\n`)}')%`;

/** Of inbound connection managers; made once, being the same for all. The first mapper whose filter holds is the only one. */
export const LOCAL_REPLIES: LocalReplyConfig = create(LocalReplyConfigSchema, {
  mappers: [
    // The agent's denials, whose words are right as they are.
    ...DENIAL_STATUSES.map((statusCode) => when(`${INSPECTED}['${STATUS_HEADER}'] == '${statusCode}'`, { statusCode })),
    when(`response.code_details == 'ext_authz_denied' && '${DECISION_HEADER}' in ${INSPECTED}`, {}),

    when(both(UPSTREAM_FAILED, GRPC), { headersToAdd: [UNSERVED] }),
    // Envoy's words don't fit into a frame of known length. A client that reads headers gets Envoy's name for them.
    ...webMappers(UPSTREAM_FAILED, [GRPC_STATUS, header("grpc-message", "%RESPONSE_CODE_DETAILS%"), UNSERVED]),
    when(both(UPSTREAM_FAILED, CONNECT), {
      headersToAdd: [UNSERVED],
      bodyFormatOverride: json({ code: CONNECT_CODE, message: "%LOCAL_REPLY_BODY%" }),
    }),
    when(UPSTREAM_FAILED, { headersToAdd: [UNSERVED], bodyFormatOverride: json({ error: "%LOCAL_REPLY_BODY%" }) }),

    // A check without an answer, which in gRPC is the guard's to see: 503 like any other.
    when(both(GRPC, `response.code_details.contains('[${UNDECIDED}]')`), {
      headersToAdd: [header("grpc-status", "14"), DECISION, header(UNSERVED_HEADER, "1")],
      bodyFormatOverride: text(REFUSED),
    }),
    when(GRPC, { headersToAdd: [GRPC_STATUS, DECISION, UNSERVED], bodyFormatOverride: text(REFUSED) }),
    ...webMappers(undefined, [GRPC_STATUS, header("grpc-message", REFUSED), DECISION, UNSERVED]),
    // Elsewhere a stream has no more than any: its clients read the HTTP status.
    ...CODES.filter(({ grpc }) => grpc === 7 || grpc === 14).map(streamMapper),
    when(CONNECT, {
      headersToAdd: [DECISION, UNSERVED],
      bodyFormatOverride: json({ code: CONNECT_CODE, message: REFUSED }),
    }),
    when(ANY, { headersToAdd: [DECISION, UNSERVED], bodyFormatOverride: json({ error: REFUSED }) }),
  ],
});

/**
 * gRPC-Web: status 200, and the status that counts in trailers, which are a frame of the body. In headers too: so are `message`s that
 * no frame can hold, and Envoy's log reads the status there.
 */
function webMappers(condition: Condition | undefined, headersToAdd: readonly HeaderOption[]): readonly Mapper[] {
  const of = (web: Condition) => (condition === undefined ? web : both(condition, web));
  const reply = (bodyFormatOverride: Format) => ({
    statusCode: 200,
    headersToAdd: [...headersToAdd],
    bodyFormatOverride,
  });
  const trailers = (...message: readonly Part[]) =>
    frame(
      WEB_TRAILERS,
      [literal("grpc-status:"), PADDED_GRPC_STATUS, literal("\r\ngrpc-message:"), ...message, literal("\r\n")],
      WEB_TYPE,
    );
  // Its base64 can't be made of what is not known before.
  const inText = when(of(WEB_TEXT), reply(text(WEB_TEXT_STATUS, WEB_TEXT_TYPE)));
  return condition === undefined
    ? [
        inText,
        when(both(WEB, IS_UUID), reply(trailers(literal("refused: "), { format: ID, chars: UUID_CHARS }))),
        when(WEB, reply(trailers(literal("refused")))),
      ]
    : [inText, when(of(WEB), reply(trailers(literal("no answer of the application"))))];
}

/** A Connect stream: status 200, and the error in the frame that ends it. */
function streamMapper({ http, connect }: (typeof CODES)[number]): Mapper {
  const error = [
    literal(`{"error":{"code":"${connect}","message":"refused: `),
    { format: ID, chars: UUID_CHARS },
    literal('"}}'),
  ];
  return when(both(CONNECT_STREAM, IS_UUID, `response.code in [${http.join()}]`), {
    statusCode: 200,
    // The client refuses frames of another type than it sent.
    headersToAdd: [DECISION, UNSERVED, header("content-type", "%REQ(CONTENT-TYPE)%")],
    bodyFormatOverride: frame(CONNECT_END, error),
  });
}

function when(condition: Condition, rewrite: Omit<Mapper, "filter" | "$typeName">): Mapper {
  return { filter: celFilter(condition), ...rewrite };
}

interface Part {
  readonly format: string;
  /** That come out of it. */
  readonly chars: number;
}

function literal(format: string): Part {
  return { format, chars: format.length };
}

/** Flags, length and content, as gRPC-Web and Connect frame what they send. */
function frame(flag: number, parts: readonly Part[], contentType = ""): Format {
  const head = new Uint8Array(5);
  head[0] = flag;
  new DataView(head.buffer).setUint32(
    1,
    parts.reduce((sum, { chars }) => sum + chars, 0),
  );
  const content = new TextEncoder().encode(parts.map(({ format }) => format).join(""));
  const value = new Uint8Array([...head, ...content]);
  return { format: { case: "textFormatSource", value: { specifier: { case: "inlineBytes", value } } }, contentType };
}

function base64Frame(content: string): string {
  const bytes = new Uint8Array(5 + content.length);
  bytes[0] = WEB_TRAILERS;
  new DataView(bytes.buffer).setUint32(1, content.length);
  bytes.set(new TextEncoder().encode(content), 5);
  return base64Encode(bytes);
}

function text(value: string, contentType = ""): Format {
  return { format: { case: "textFormatSource", value: { specifier: { case: "inlineString", value } } }, contentType };
}

// Escapes what it puts in: an id may hold anything.
function json(value: Readonly<Record<string, string>>): Format {
  return { format: { case: "jsonFormat", value } };
}

function header(key: string, value: string): HeaderOption {
  return {
    header: { key, value },
    // Added after the route has removed what the application answered.
    appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  };
}

function both(...conditions: readonly Condition[]): Condition {
  return conditions.map((condition) => `(${condition})`).join(" && ");
}

function contentType(subtype: string): Condition {
  return `request.headers['content-type'].matches('^application/${subtype}')`;
}
