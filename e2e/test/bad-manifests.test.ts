import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { objectStatus } from "../src/mesh/admin.ts";
import { routeFile } from "../src/mesh/manifests.ts";
import { classify, predictorClient } from "../src/mesh/predict.ts";
import { until } from "../src/mesh/until.ts";
import { withMesh } from "./with-mesh.ts";

const weights = [100, 0] as const;
const mesh = withMesh({ predictors: new Map([["digits-v1-a", "1"]]), weights });
const cli = join(import.meta.dirname, "../../cli/bin/hedgerow.js");
const route = "HTTPRoute/models/digits";

function hedgerow(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

const good = routeFile(weights);

// A wrong type, a field that does not exist, a weight out of range.
const threeMistakes = good
  .replace("name: digits-v1, port: 80", "name: digits-v1, port: eighty")
  .replace("parentRefs:", "hostname: digits\n  parentRefs:")
  .replace("weight: 0", "weight: -10");

// A look-ahead is a regular expression to many, but not to RE2.
const refusedByEnvoy = good.replace(
  "rules:\n    - ",
  'rules:\n    - matches: [{path: {type: RegularExpression, value: "/(?=a).*"}}]\n      ',
);

describe("a bad manifest", () => {
  test("with three mistakes is told in three lines; the mesh keeps the last good and says why", async () => {
    const { mesh: running, reader, digit } = mesh();
    running.writeManifest("route.yaml", threeMistakes);
    const file = join(running.directory, "manifests/route.yaml");
    const { status, output } = hedgerow("validate", file);
    expect(status).toBe(1);
    expect(output.match(/route\.yaml:\d+:\d+: /g)).toHaveLength(3);

    const stale = await until("the status of the route", 10_000, async () => {
      const found = await objectStatus(running.admin, route);
      return found?.conditions.find(({ type, status: value }) => type === "Accepted" && value === "False");
    });
    expect(stale.message).toMatch(/route\.yaml:\d+:\d+/);
    const shown = hedgerow("status", "--socket", join(running.directory, "state/admin.sock"));
    expect(shown.output).toMatch(/route\.yaml:\d+:\d+/);
    expect((await classify(predictorClient(reader.localPort), digit)).version).toBe("1");

    running.writeManifest("route.yaml", good);
    await until("the route accepted again", 10_000, async () => {
      const found = await objectStatus(running.admin, route);
      return found?.conditions.find(({ type, status: value }) => type === "Accepted" && value === "True");
    });
  });

  test("that Envoy refuses is shown where it was written; the old route stays", async () => {
    const { mesh: running, reader, digit } = mesh();
    running.writeManifest("route.yaml", refusedByEnvoy);
    const found = await until("the NACK on the route", 10_000, async () => {
      const status = await objectStatus(running.admin, route);
      return status?.laggards.some(({ reason }) => reason === "Rejected") ? status : undefined;
    });
    const programmed = found.conditions.find(({ type }) => type === "Programmed");
    expect(programmed?.status).toBe("False");
    expect(programmed?.message).toMatch(/route\.yaml:\d+:\d+/);
    expect((await classify(predictorClient(reader.localPort), digit)).version).toBe("1");
    running.writeManifest("route.yaml", good);
    await running.ready();
  });
});
