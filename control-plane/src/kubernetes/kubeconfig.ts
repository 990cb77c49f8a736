// A kubeconfig, as far as a program needs it: which server, which roots, which credentials.
import { parse } from "yaml";
import { z } from "zod";
import { ControlPlaneError, messageOf } from "../errors.ts";

/** What stands in a file, which may be replaced while we run, or in the kubeconfig itself. */
export type Material =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "text"; readonly text: string };

export type Credentials =
  | { readonly kind: "certificate"; readonly certificate: Material; readonly key: Material }
  | { readonly kind: "token"; readonly token: Material };

/** Where the API server is, and who we are to it. Holds secrets: never to be logged. */
export interface KubernetesAccess {
  readonly host: string;
  readonly port: number;
  /** What stands before every path: empty, or as in /k8s/clusters/x. */
  readonly pathPrefix: string;
  /** The name in the server's certificate, where it is not `host`. */
  readonly serverName: string | undefined;
  /** Roots of the server's certificate, PEM; undefined: those that Node trusts. */
  readonly ca: Material | undefined;
  readonly credentials: Credentials;
}

const clusters = z.array(
  z.looseObject({
    name: z.string(),
    cluster: z.looseObject({
      server: z.string(),
      "certificate-authority": z.string().optional(),
      "certificate-authority-data": z.string().optional(),
      "tls-server-name": z.string().optional(),
      "insecure-skip-tls-verify": z.boolean().optional(),
      "proxy-url": z.string().optional(),
    }),
  }),
);
const users = z.array(
  z.looseObject({
    name: z.string(),
    user: z.looseObject({
      "client-certificate": z.string().optional(),
      "client-certificate-data": z.string().optional(),
      "client-key": z.string().optional(),
      "client-key-data": z.string().optional(),
      token: z.string().optional(),
      tokenFile: z.string().optional(),
    }),
  }),
);
const contexts = z.array(
  z.looseObject({ name: z.string(), context: z.looseObject({ cluster: z.string(), user: z.string() }) }),
);
const kubeconfig = z.looseObject({ "current-context": z.string().min(1), clusters, users, contexts });

type Cluster = z.infer<typeof clusters>[number]["cluster"];
type User = z.infer<typeof users>[number]["user"];

/**
 * Reads a kubeconfig's text at its current context. `resolve` makes a file's path absolute: paths are relative to the
 * kubeconfig. Error KUBECONFIG_INVALID: what is wrong, or what we do not do (exec plugins, passwords, unverified TLS).
 */
export function readKubeconfig(text: string, resolve: (path: string) => string): KubernetesAccess {
  const parsed = kubeconfig.safeParse(parseYaml(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(`${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not a kubeconfig"}`);
  }
  const config = parsed.data;
  const contextName = config["current-context"];
  const context = config.contexts.find(({ name }) => name === contextName)?.context;
  if (context === undefined) throw invalid(`no context ${contextName}`);
  const cluster = config.clusters.find(({ name }) => name === context.cluster)?.cluster;
  if (cluster === undefined) throw invalid(`no cluster ${context.cluster}`);
  const user = config.users.find(({ name }) => name === context.user)?.user;
  if (user === undefined) throw invalid(`no user ${context.user}`);
  const material = (data: string | undefined, path: string | undefined): Material | undefined =>
    data !== undefined && data !== ""
      ? { kind: "text", text: Buffer.from(data, "base64").toString() }
      : path !== undefined && path !== ""
        ? { kind: "file", path: resolve(path) }
        : undefined;
  return {
    ...placeOf(cluster),
    ca: material(cluster["certificate-authority-data"], cluster["certificate-authority"]),
    credentials: credentialsOf(user, material),
  };
}

function placeOf(cluster: Cluster): Pick<KubernetesAccess, "host" | "port" | "pathPrefix" | "serverName"> {
  if (cluster["insecure-skip-tls-verify"] === true) throw invalid("insecure-skip-tls-verify is not supported");
  if (cluster["proxy-url"] !== undefined) throw invalid("proxy-url is not supported");
  if (!URL.canParse(cluster.server)) throw invalid(`server ${cluster.server} is not a URL`);
  const { protocol, hostname, port, pathname } = new URL(cluster.server);
  if (protocol !== "https:") throw invalid(`server ${cluster.server} must be https`);
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? 443 : Number(port),
    pathPrefix: pathname.replace(/\/+$/, ""),
    serverName: cluster["tls-server-name"],
  };
}

function credentialsOf(
  user: User,
  material: (data: string | undefined, path: string | undefined) => Material | undefined,
): Credentials {
  const certificate = material(user["client-certificate-data"], user["client-certificate"]);
  const key = material(user["client-key-data"], user["client-key"]);
  if (certificate !== undefined && key !== undefined) return { kind: "certificate", certificate, key };
  if (user.tokenFile !== undefined && user.tokenFile !== "") {
    const token = material(undefined, user.tokenFile);
    if (token !== undefined) return { kind: "token", token };
  }
  if (user.token !== undefined && user.token !== "")
    return { kind: "token", token: { kind: "text", text: user.token } };
  const unsupported = ["exec", "auth-provider", "username"].find((field) => user[field] !== undefined);
  throw invalid(
    unsupported === undefined
      ? "the user has neither a client certificate with its key nor a token"
      : `${unsupported} is not supported: a client certificate or a token is needed`,
  );
}

function parseYaml(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 100, logLevel: "error" });
  } catch (error) {
    throw invalid(messageOf(error));
  }
}

function invalid(message: string): ControlPlaneError {
  return new ControlPlaneError("KUBECONFIG_INVALID", `cannot use kubeconfig: ${message}`);
}
