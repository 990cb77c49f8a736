import { Code, ConnectError } from "@connectrpc/connect";
import { CliError } from "../errors.ts";
import { printable } from "../screen/printable.ts";
import { type Endpoint, endpointName } from "./endpoint.ts";
import { WrongServerError } from "./tls.ts";

/** Why a call to the admin service failed, for a person. */
export function describeFailure(error: unknown, endpoint: Endpoint): CliError {
  const chain = causes(error);
  const wrongServer = chain.find((cause) => cause instanceof WrongServerError);
  if (wrongServer !== undefined)
    return new CliError(
      "refused",
      `${endpointName(endpoint)} is not this mesh's control plane: ${wrongServer.message}`,
      {
        cause: error,
      },
    );
  const code = chain.map(nodeCode).find((found) => found !== undefined);
  if (code !== undefined) return describeNodeFailure(code, endpoint, error);
  return describeAnswer(ConnectError.from(error), endpoint);
}

/** The connection failed: `code` is Node's or OpenSSL's. */
function describeNodeFailure(code: string, endpoint: Endpoint, cause: unknown): CliError {
  const name = endpointName(endpoint);
  if (endpoint.kind === "socket") {
    if (code === "EACCES" || code === "EPERM")
      return new CliError(
        "refused",
        `may not open ${name}: run as the control plane's user, or use --server with an admin certificate`,
        { cause },
      );
    if (code === "ENOENT" || code === "ENOTDIR")
      return new CliError(
        "unreachable",
        `no control plane at ${name}: is it running? name another with --socket PATH or HEDGEROW_ADMIN_SOCKET`,
        { cause },
      );
    if (code === "ECONNREFUSED")
      return new CliError("unreachable", `nobody answers at ${name}: the control plane has stopped, start it again`, {
        cause,
      });
    return new CliError("unreachable", `the control plane at ${name} broke off (${code}): see its log`, { cause });
  }
  // Alerts: what the server thinks of us. The other codes that are OpenSSL's: what we think of the server.
  if (/^ERR_SSL_.*ALERT/.test(code))
    return new CliError(
      "refused",
      `the control plane at ${name} did not accept ${endpoint.cert} (${code}): make a new one with \`hedgerow certificate create\``,
      { cause },
    );
  // A TLS 1.3 server judges our certificate after we are through: Node's then hangs up without an alert.
  if (code === "ECONNRESET")
    return new CliError(
      "refused",
      `${name} closed the connection: is it the admin port, and does it trust ${endpoint.cert}?`,
      { cause },
    );
  if (/CERT|SIGNATURE|ISSUER|CRL|^ERR_(SSL|TLS)_/.test(code))
    return new CliError(
      "refused",
      `${name} did not prove to be this mesh's control plane (${code}): check the address and --ca`,
      { cause },
    );
  return new CliError(
    "unreachable",
    `no control plane at ${name} (${code}): is it running with HEDGEROW_ADMIN_LISTEN?`,
    {
      cause,
    },
  );
}

/** The control plane answered, or did not answer in time. */
function describeAnswer(error: ConnectError, endpoint: Endpoint): CliError {
  const name = endpointName(endpoint);
  const said = printable(error.rawMessage);
  const options = { cause: error };
  switch (error.code) {
    case Code.PermissionDenied:
    case Code.Unauthenticated:
      return new CliError("refused", `refused by the control plane: ${said}`, options);
    case Code.DeadlineExceeded:
      return new CliError("unreachable", `the control plane at ${name} did not answer in time: see its log`, options);
    case Code.Unavailable:
      return new CliError("unreachable", `the control plane at ${name} is not available: ${said}`, options);
    case Code.Unimplemented:
      return new CliError("bad", `${name} does not know this call: does it run another version of Hedgerow?`, options);
    case Code.Canceled:
    case Code.Unknown:
    case Code.InvalidArgument:
    case Code.NotFound:
    case Code.AlreadyExists:
    case Code.ResourceExhausted:
    case Code.FailedPrecondition:
    case Code.Aborted:
    case Code.OutOfRange:
    case Code.Internal:
    case Code.DataLoss:
      return new CliError("bad", said || `the control plane failed (${Code[error.code]}): see its log`, options);
  }
}

/** The error and what it wraps, outermost first. */
function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let next = error; next instanceof Error && !chain.includes(next); next = next.cause) chain.push(next);
  return chain;
}

function nodeCode(error: Error): string | undefined {
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}
