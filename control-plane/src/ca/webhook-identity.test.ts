import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { testAuthority } from "../../test/authority.ts";
import { peerFromCertificate } from "./peer.ts";
import { WebhookIdentity } from "./webhook-identity.ts";

const authority = testAuthority("bank.example", Date.now);

test("names a server and nobody of the mesh", () => {
  using identity = new WebhookIdentity(authority, ["control-plane.hedgerow-system.svc"]);
  const leaf = new X509Certificate(identity.secureContext().cert);
  expect(leaf.subjectAltName).toBe("DNS:control-plane.hedgerow-system.svc");
  expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(leaf.checkHost("control-plane.hedgerow-system.svc")).toBeDefined();
  expect(peerFromCertificate("bank.example", leaf.raw, Date.now())).toBeUndefined();
  const [root] = authority.trustBundle;
  expect(root && leaf.verify(new X509Certificate(root).publicKey)).toBe(true);
});

test("is renewed at half of its lifetime", async () => {
  using identity = new WebhookIdentity(authority, ["a.b"], 200);
  const before = identity.secureContext().cert;
  await new Promise<void>((resolve) => identity.onRotate(resolve));
  expect(identity.secureContext().cert).not.toBe(before);
});
