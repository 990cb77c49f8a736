import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ALLOWED, AuditedMesh, asIs, DENIED, editText, LAST, segmentFile } from "./testing/audited-mesh.ts";
import { MeshAuthority } from "./testing/mesh-authority.ts";
import { decision } from "./testing/records.ts";
import { runHere } from "./testing/run-here.ts";

let mesh: AuditedMesh;
beforeAll(async () => {
  mesh = await AuditedMesh.start();
});
afterAll(() => mesh[Symbol.dispose]());

describe("hedgerow explain", () => {
  it("answers who, what, why and how it ended, and whether the record verifies", async () => {
    const { code, stdout, stderr } = await mesh.ask("explain", "8r4g");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.replace(/\d{4}-\S+Z/g, "TIME")).toBe(`8R4GK2M9D0Z4XN8B  refused with 403
when     TIME
who      apps/batch-job (spiffe://bank.example/ns/apps/sa/batch-job)
what     infer digits@2 over grpc, 3,137 bytes
         image FP32 [1,1,28,28]
why      no rule of AccessPolicy models/digits (generation 3) allows it
ended    answered 403, gRPC status 7 after 4 ms
request  request-8R4GK2M9D0Z4XN8B
where    record 2 of models/digits-1's ledger ${mesh.digits.id}, segment 0
         ${mesh.digits.directory}
✓ verified: the record stands in the ledger as its workload signed it at TIME, countersigned by the witness at TIME
`);
  });

  it("shows the attempts of a request together, by whichever id", async () => {
    for (const id of [ALLOWED, "7Q3F", "first"])
      expect((await mesh.ask("explain", id)).stdout).toMatch(
        /^7Q3FK2M9D0Z4XN8B {2}let through\n.*\nalso +repeated as AT6JK2M9D0Z4XN8B at models\/digits-1, .*: allow\n/s,
      );
    expect((await mesh.ask("explain", "AT6J")).stdout).toMatch(/^AT6JK2M9D0Z4XN8B/);
  });

  it("knows what Envoy refused by itself, by the request id that the caller was told", async () => {
    const { code, stdout } = await mesh.ask("explain", "r-1");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^r-1 {2}refused with 413\n/);
    expect(stdout).toContain(
      "why      the request was larger than the service takes\n         the proxy refused it by itself (request_payload_too_large); the model never saw it\n",
    );
  });

  it("says that a record is too new to be verified", async () => {
    expect(await mesh.ask("explain", LAST)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\n! no checkpoint covers this record yet: /),
    });
  });

  it("says that a record was altered", async () => {
    const alter = (audit: string) =>
      editText(segmentFile(audit), (text) =>
        text.replace('"status":403,"reason":"access"', '"status":403,"reason":"overload"'),
      );
    const { code, stdout } = await mesh.askOffline(alter, "explain", "8R4G", ...mesh.auditorArgs);
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/\n✗ the record does not verify: .*; `hedgerow audit verify` names what was altered\n$/),
    ]);
  });

  it("says that it verified nothing without roots, and that the read is not recorded without a control plane", async () => {
    const { code, stdout, stderr } = await mesh.askOffline(asIs, "explain", "8R4G");
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/\n! the record was not verified: the witness could not be asked: /),
    ]);
    expect(stderr).toMatch(/^hedgerow: this read was not recorded: no control plane at DIR\/admin.sock.*\n$/);
  });

  it("finds none, and several, and says so", async () => {
    expect(await mesh.ask("explain", "ZZZZ")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^hedgerow: no decision or request ZZZZ in these ledgers: /),
    });
    expect(await mesh.ask("explain", "7Q")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("give at least the first 4 characters"),
    });
    const another = decision("7Q3FZZZZZZZZZZZZ");
    await mesh.authority.write("several/models.models", [another], { witness: false });
    const ended = await runHere([
      "explain",
      "7Q3F",
      "--ledger",
      join(mesh.directory, "several"),
      "--ledger",
      mesh.digits.directory,
    ]);
    expect(ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/hedgerow: 2 requests begin with 7Q3F: 7Q3FZZZZZZZZZZZZ \(.*\); 7Q3FK2M9D0Z4XN8B /),
    });
  });

  it("has a stable shape for machines", async () => {
    expect(JSON.parse((await mesh.ask("explain", DENIED, "-o", "json")).stdout)).toMatchObject({
      kind: "decision",
      id: DENIED,
      verdict: "deny",
      status: 403,
      reason: "access",
      model: "digits",
      version: "2",
      outcome: { status: 403 },
      recorded: { ledger: mesh.digits.id, segment: 0, seq: 2 },
      check: { state: "witnessed" },
      record: { type: "decision" },
    });
  });
});

describe("hedgerow audit prove", () => {
  const proofOf = async (id: string) => {
    const { code, stdout, stderr } = await mesh.ask("audit", "prove", id);
    expect([code, stderr]).toEqual([0, ""]);
    return stdout;
  };
  const verifyProof = (stdin: string, roots = mesh.authority.roots) =>
    runHere(["audit", "verify", "--proof", "-", "--roots", roots], { stdin });

  it.each([
    ["in a closed segment, by its Merkle tree", DENIED, true],
    ["in an open segment, by the chain", "r-1", false],
  ])("proves a record %s", async (_, id, hasInclusion) => {
    const proof = await proofOf(id);
    expect(Object.hasOwn(JSON.parse(proof), "inclusion")).toBe(hasInclusion);
    const { code, stdout } = await verifyProof(proof);
    expect(stdout).toMatch(
      new RegExp(
        `^✓ record \\d of ledger ${mesh.digits.id} of models/digits-1, signed at .*Z\n✓ countersigned by the witness at .*Z\n {2}\\S+Z {2}deny {2}apps/batch-job {2}`,
      ),
    );
    expect(code).toBe(0);
    // Nothing of other records but hashes.
    expect(proof).not.toContain(ALLOWED);
  });

  it("does not hold once anything is altered, or under other roots", async () => {
    const proof = await proofOf(DENIED);
    for (const altered of [
      proof.replace("batch-job", "batch-jab"),
      proof.replace(/"previous": "\w{64}/, `"previous": "${"0".repeat(64)}`),
      proof.replace(/"index": \d/, '"index": 1'),
    ])
      expect(await verifyProof(altered)).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/^✗ the proof does not hold: /),
      });
    const other = join(mesh.directory, "others");
    mkdirSync(other);
    expect(await verifyProof(proof, new MeshAuthority(other).roots)).toMatchObject({ code: 1 });
  });

  it("says to wait where no checkpoint covers the record yet", async () => {
    expect(await mesh.ask("audit", "prove", LAST)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/no checkpoint covers record 9 .* try again\n$/),
    });
  });

  it.each(["", "{}", "[]", '{"format":"hedgerow-proof/1"}', "\u0000"])("takes %j for no proof", async (text) => {
    expect(await verifyProof(text)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^hedgerow: <stdin> (is no proof|holds no JSON)/),
    });
  });

  it("needs roots", async () => {
    const env = { HEDGEROW_ADMIN_SOCKET: join(mesh.directory, "no.sock") };
    expect(await runHere(["audit", "verify", "--proof", "-"], { stdin: await proofOf(DENIED), env })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("give them with --roots FILE"),
    });
  });
});
