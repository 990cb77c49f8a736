import { X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../testing/certificates.ts";
import { Kubectl } from "./kubectl.ts";
import { lookAtServingCertificate } from "./serving-certificate.ts";

let directory = "";
let server: Server;
let roots: readonly X509Certificate[] = [];
let others: readonly X509Certificate[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-forward-"));
  const root = makeCertificate(directory, "root", "DNS:root");
  const other = makeCertificate(directory, "other", "DNS:other");
  const leaf = makeCertificate(directory, "leaf", "DNS:control-plane.hedgerow-system.svc", root);
  roots = [new X509Certificate(readFileSync(root.cert))];
  others = [new X509Certificate(readFileSync(other.cert))];
  server = createServer({ cert: readFileSync(leaf.cert), key: readFileSync(leaf.key) });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

/** A kubectl whose port-forward ends in this process: there is no node here that a real one could reach. */
function kubectlThat(script: string): Kubectl {
  const path = join(directory, "kubectl");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return new Kubectl({ context: undefined, env: { PATH: `${directory}:${process.env["PATH"] ?? ""}` } });
}

const forwarding = () => {
  const { port } = server.address() as AddressInfo;
  return kubectlThat(`echo "Forwarding from 127.0.0.1:${port} -> 15017"; exec sleep 60`);
};

describe("lookAtServingCertificate", () => {
  it("describes what hangs on the roots", async () => {
    const look = await lookAtServingCertificate(forwarding(), roots);
    expect(look).toMatchObject({ ok: true, value: { trustedBy: "caBundle" } });
    expect(look.ok && look.value.notAfterMs).toBeGreaterThan(Date.now());
  });

  it("describes what does not, too", async () => {
    for (const wrong of [others, []])
      expect(await lookAtServingCertificate(forwarding(), wrong)).toMatchObject({
        ok: true,
        value: { trustedBy: "nobody" },
      });
  });

  it("gives kubectl's own reason where it forwards nothing", async () => {
    const kubectl = kubectlThat('echo "error: unable to forward port because pod is not running" >&2; exit 1');
    expect(await lookAtServingCertificate(kubectl, roots)).toEqual({
      ok: false,
      why: "unable to forward port because pod is not running",
    });
  });
});
