import { z } from "zod";
import { celRules, dnsLabel, patterned } from "./fields.ts";
import { keepsNull, secretRef } from "./refs.ts";

/** Where records go beside the ledger at the sidecar: exactly one of three. */
export type AuditSinkTarget = { readonly file: FileTarget } | { readonly s3: S3Target } | { readonly otlp: OtlpTarget };

const endpoint = patterned(
  512,
  /^https?:\/\/([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[1-9][0-9]{0,4})?$/,
  "must be http(s)://HOST or http(s)://HOST:PORT",
);

const file = z.strictObject({
  path: patterned(
    1024,
    /^(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$/,
    "must be an absolute path of letters, digits, '.', '-' and '_', with no part that starts with '.' or '-'",
  ).describe("A directory at the sidecar."),
});
type FileTarget = z.infer<typeof file>;

const s3 = z.strictObject({
  bucket: patterned(
    63,
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
    "must be 3 to 63 lower-case letters, digits, '.' and '-', starting and ending with a letter or digit",
  ).describe("Its name."),
  endpoint: endpoint.optional().describe("http(s)://HOST or http(s)://HOST:PORT. Left out: AWS's own of the region."),
  prefix: patterned(
    512,
    /^([A-Za-z0-9_][A-Za-z0-9_.=/-]*)?$/,
    "must be letters, digits, '.', '-', '_', '=' and '/', starting with a letter, a digit or '_'",
  )
    .default("")
    .describe("Stands before every key as it is written: end it in /."),
  objectLock: z
    .enum(["none", "governance", "compliance"])
    .default("none")
    .describe(
      "Mode in which every object is locked for `retention.keepYears`; the bucket has object lock. Nobody shortens `compliance`.",
    ),
  credentials: secretRef.describe("A secret with the keys accessKeyId and secretAccessKey, and perhaps sessionToken."),
});
type S3Target = z.infer<typeof s3>;

const otlp = z.strictObject({
  endpoint: endpoint.describe("http(s)://HOST or http(s)://HOST:PORT; /v1/logs is appended."),
});
type OtlpTarget = z.infer<typeof otlp>;

const oneTarget = "must have exactly one of file, s3 and otlp";
const regionOfS3 = "must have a region, for which requests to S3 are signed";

export const auditSink = z
  .strictObject({
    name: dnsLabel.describe("Names the sink in logs and metrics."),
    region: dnsLabel
      .optional()
      .meta({ ...keepsNull, description: "Where it keeps what it gets. S3 must have it: requests are signed for it." }),
    required: z
      .boolean()
      .default(false)
      .describe("True: a record counts as durable only once this sink has it, too; answers wait for that."),
    file: file.optional().describe("Files in a directory, such as a mounted share."),
    s3: s3.optional().describe("A bucket of S3, or of a server that speaks as S3 does."),
    otlp: otlp.optional().describe("A collector of OpenTelemetry's logs, over HTTP."),
  })
  .meta(
    celRules(
      {
        rule: "(has(self.file) ? 1 : 0) + (has(self.s3) ? 1 : 0) + (has(self.otlp) ? 1 : 0) == 1",
        message: oneTarget,
      },
      { rule: "!has(self.s3) || has(self.region)", message: regionOfS3 },
    ),
  )
  .transform(({ file, s3, otlp, ...sink }, context): typeof sink & AuditSinkTarget => {
    const targets = [
      ...(file === undefined ? [] : [{ file }]),
      ...(s3 === undefined ? [] : [{ s3 }]),
      ...(otlp === undefined ? [] : [{ otlp }]),
    ];
    const [target, ...others] = targets;
    if (target === undefined || others.length > 0) context.addIssue({ code: "custom", message: oneTarget });
    else if ("s3" in target && sink.region === undefined) context.addIssue({ code: "custom", message: regionOfS3 });
    else return { ...sink, ...target };
    return z.NEVER;
  });

export type AuditSink = z.infer<typeof auditSink>;
