import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { makeCertificate } from "../testing/certificates.ts";
import { runHere } from "../testing/run-here.ts";

let directory: string;
let roots: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-inject-"));
  roots = makeCertificate(directory, "roots", "URI:spiffe://bank.example").cert;
});
afterAll(() => rmSync(directory, { recursive: true }));

const inject = (stdin: string, ...args: string[]) =>
  runHere(["inject", "-f", "-", "--roots", roots, ...args], { stdin });

const deployment = `# The API.
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: fraud} # ours
spec:
  template:
    metadata:
      labels: {app: api}
    spec:
      containers:
      - name: api
        image: "api:1" # pinned
        readinessProbe:
          httpGet: {path: /ready, port: 8080} # cheap
`;
const service = "---\napiVersion: v1\nkind:   Service   # as it is\nmetadata: {name: api}\n";
const values = (text: string) => parseAllDocuments(text).map((document) => document.toJS());

describe("hedgerow inject", () => {
  it("puts the sidecar in, keeps comments, and passes everything else on to the byte", async () => {
    const { code, stdout, stderr } = await inject(deployment + service);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.endsWith(service)).toBe(true);
    for (const kept of ["# The API.\n", "# ours", 'image: "api:1" # pinned', "port: 15020, scheme: HTTP} # cheap"])
      expect(stdout).toContain(kept);
    const { metadata, spec } = values(stdout)[0].spec.template;
    expect(metadata.labels).toEqual({ app: "api", "hedgerow.dev/mesh": "true" });
    expect(spec.initContainers.map(({ name }: { name: string }) => name)).toEqual(["hedgerow-init", "hedgerow-proxy"]);
    const environment = spec.initContainers[1].env.map(({ name, value }: Record<string, string>) => [name, value]);
    expect(environment).toContainEqual(["HEDGEROW_TRUST_DOMAIN", "bank.example"]);
    expect(environment).toContainEqual(["HEDGEROW_ROOT_DIGESTS", expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });

  it("done twice changes nothing; another image, and it does", async () => {
    const once = (await inject(deployment + service)).stdout;
    expect((await inject(once)).stdout).toBe(once);
    const other = (await inject(once, "--image", "registry.example/sidecar:2")).stdout;
    expect(other).toBe(once.replaceAll("hedgerow.dev/sidecar:0.1.0", "registry.example/sidecar:2"));
  });

  it("does the same to JSON, to lists and to what has aliases", async () => {
    const [object] = values(deployment);
    const json = `${JSON.stringify({ apiVersion: "v1", kind: "List", items: [object, { kind: "x" }] })}\n`;
    const listed = await inject(json);
    const once = values((await inject(deployment)).stdout)[0];
    expect(JSON.parse(listed.stdout)).toEqual({ apiVersion: "v1", kind: "List", items: [once, { kind: "x" }] });
    expect((await inject(listed.stdout)).stdout).toBe(listed.stdout);

    const aliased = `${deployment.replace("labels: {app: api}", "labels: &app {app: api}")}  selector: {matchLabels: *app}\n`;
    const { stdout, stderr } = await inject(aliased);
    expect(stderr).toBe("<stdin>:1: has aliases: written out, without its comments\n");
    expect(values(stdout)[0].spec.template).toEqual(once.spec.template);
    expect(values(stdout)[0].spec.selector).toEqual({ matchLabels: { app: "api" } });
  });

  it("refuses all, with every reason, where one is refused", async () => {
    const bad = deployment.replace("    spec:\n", "    spec:\n      hostNetwork: true\n      hostPID: true\n");
    const { code, stdout, stderr } = await inject(`${deployment}---\n${bad}`);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^<stdin>:15: deployment fraud\/api: refused: spec.hostNetwork must not .*; spec.hostPID must not/,
    );
  });

  it("leaves alone what declines or is the system's, and says so", async () => {
    const declined = deployment.replace("{app: api}", '{hedgerow.dev/inject: "false"}');
    expect(await inject(declined)).toEqual({
      code: 0,
      stdout: declined,
      stderr: '<stdin>:1: deployment fraud/api: left as it is: the pod is labelled hedgerow.dev/inject: "false"\n',
    });
    const system = deployment.replace("fraud", "kube-system");
    expect(await inject(system)).toMatchObject({
      stdout: system,
      stderr: expect.stringContaining("nothing in kube-system is injected"),
    });
  });

  it("joins files so that they stay documents", async () => {
    const files = ["a.yaml", "b.yaml"].map((name) => join(directory, name));
    for (const file of files) writeFileSync(file, "kind: x");
    const { stdout } = await runHere(["inject", "--roots", roots, "-f", ...files]);
    expect(stdout).toBe("kind: x\n---\nkind: x");
  });

  it.each([
    [["-f", "-"], "a: 1", 2, "error: required option '--roots <file>' not specified"],
    [["-f", "-", "--roots", "none.pem"], "", 2, "could not read none.pem: no such file or directory"],
    [["-f", "-", "--roots", "ROOTS", "--enroll", "x"], "", 2, '--enroll must be HOST:PORT, not "x"'],
    [["-f", "-", "--roots", "ROOTS", "-o", "json"], "", 2, "-o does not apply"],
    [["-f", "-", "--roots", "ROOTS"], "a: 1\n---\nb: [", 1, "<stdin>:3: not YAML"],
  ])("ends %j on %j with %i: %s", async (args, stdin, code, words) => {
    const given = args.map((arg) => (arg === "ROOTS" ? roots : arg));
    const ended = await runHere(["inject", ...given], { stdin });
    expect([ended.code, ended.stdout]).toEqual([code, ""]);
    expect(ended.stderr).toContain(words.replace("error: ", ""));
  });

  it("refuses roots of two meshes, and what is none", async () => {
    const other = makeCertificate(directory, "other", "URI:spiffe://other.example").cert;
    const { readFileSync } = await import("node:fs");
    const both = join(directory, "both.pem");
    writeFileSync(both, readFileSync(roots, "utf8") + readFileSync(other, "utf8"));
    for (const path of [both, join(directory, "a.yaml")]) {
      const { code, stderr } = await runHere(["inject", "-f", "-", "--roots", path], { stdin: "" });
      expect([code, stderr]).toEqual([2, expect.stringContaining("does not hold the roots of one mesh")]);
    }
  });
});
