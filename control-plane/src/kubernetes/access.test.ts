import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readAccess } from "./access.ts";
import { readKubeconfig } from "./kubeconfig.ts";

const config = (cluster: object, user: object, current = "c"): string =>
  JSON.stringify({
    "current-context": current,
    clusters: [{ name: "k", cluster: { server: "https://127.0.0.1:6443", ...cluster } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
  });
const token = { token: "t" };

describe("a kubeconfig", () => {
  test("with files, which are relative to it", async () => {
    const directory = await mkdtemp(join(tmpdir(), "kubeconfig-"));
    const path = join(directory, "config");
    const user = { "client-certificate": "a/c.crt", "client-key": "/b/c.key" };
    await writeFile(path, config({ "certificate-authority": "ca.crt" }, user));
    expect(await readAccess(path)).toEqual({
      host: "127.0.0.1",
      port: 6443,
      pathPrefix: "",
      serverName: undefined,
      ca: { kind: "file", path: join(directory, "ca.crt") },
      credentials: {
        kind: "certificate",
        certificate: { kind: "file", path: join(directory, "a/c.crt") },
        key: { kind: "file", path: "/b/c.key" },
      },
    });
    await rm(directory, { recursive: true });
  });

  test("with everything in it, an IPv6 server, a path and a name", () => {
    const text = config(
      {
        server: "https://[fd00::1]/k8s/clusters/x/",
        "certificate-authority-data": Buffer.from("PEM").toString("base64"),
        "tls-server-name": "kubernetes",
      },
      token,
    );
    expect(readKubeconfig(text, (path) => path)).toEqual({
      host: "fd00::1",
      port: 443,
      pathPrefix: "/k8s/clusters/x",
      serverName: "kubernetes",
      ca: { kind: "text", text: "PEM" },
      credentials: { kind: "token", token: { kind: "text", text: "t" } },
    });
  });

  test.each([
    ["no context", config({}, token, "other"), "no context other"],
    ["an exec plugin", config({}, { exec: { command: "aws" } }), "exec is not supported"],
    ["a password", config({}, { username: "a", password: "b" }), "username is not supported"],
    ["nobody", config({}, {}), "neither a client certificate with its key nor a token"],
    ["unverified TLS", config({ "insecure-skip-tls-verify": true }, token), "insecure-skip-tls-verify is not"],
    ["plain HTTP", config({ server: "http://a" }, token), "must be https"],
    ["a proxy", config({ "proxy-url": "http://p" }, token), "proxy-url is not supported"],
    ["no server", config({ server: "?" }, token), "is not a URL"],
    ["no YAML", "{", "cannot use kubeconfig"],
    ["nothing", "", "cannot use kubeconfig"],
  ])("with %s is refused", (_, text, message) => {
    expect(() => readKubeconfig(text, (path) => path)).toThrow(message);
  });

  test("that is not there is said to be", async () => {
    await expect(readAccess("/nowhere/config")).rejects.toMatchObject({ code: "KUBECONFIG_INVALID" });
  });

  test("throws nothing but its own error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => readKubeconfig(text, (path) => path)).toThrow(/^cannot use kubeconfig/);
      }),
    );
  });
});

describe("in a pod", () => {
  test("the service account's token and roots are used", async () => {
    const env = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };
    expect(await readAccess("in-cluster", env)).toMatchObject({
      host: "10.96.0.1",
      port: 443,
      credentials: { kind: "token", token: { kind: "file" } },
    });
  });

  test.each([{}, { KUBERNETES_SERVICE_HOST: "a" }, { KUBERNETES_SERVICE_HOST: "a", KUBERNETES_SERVICE_PORT: "x" }])(
    "that is none: %j",
    async (env) => {
      await expect(readAccess("in-cluster", env)).rejects.toMatchObject({ code: "NOT_IN_CLUSTER" });
    },
  );
});
