import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { manifestSchemas } from "@hedgerow/manifest";
import { describe, expect, test } from "vitest";
import { z } from "zod";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Names of all fields below a JSON schema. */
function fieldNames(schema: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    const { properties } = node as { properties?: Record<string, unknown> };
    for (const name of Object.keys(properties ?? {})) names.add(name);
    for (const child of Object.values(node)) visit(child);
  };
  visit(schema);
  return names;
}

function sources(folder: string): readonly string[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(join(root, path)).isDirectory()) return sources(path);
    return path.endsWith(".ts") && !path.includes(".test.") ? [path] : [];
  });
}

const runtimes = ["control-plane/src", "sidecar/src", "predictor/src"];

describe("the documentation", () => {
  test.each(Object.entries(manifestSchemas))("names every field of %s", (kind, schema) => {
    const text = read("docs/manifests.md");
    const section = text.split(`\n## ${kind}\n`)[1]?.split("\n## ")[0] ?? "";
    const shared = text.split("\n## ")[0] ?? "";
    const names = [...fieldNames(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }))];
    expect(names.length).toBeGreaterThan(5);
    const known = ["apiVersion", "kind", "metadata", "spec"];
    expect(names.filter((name) => !known.includes(name) && !`${section}${shared}`.includes(name))).toEqual([]);
  });

  test.each([
    ["setting", /\bHEDGEROW_[A-Z_]+\b/g],
    ["metric", /\bhedgerow_(?!total)[a-z]+_[a-z_]+\b/g],
  ])("names every %s of the runtimes", (_, pattern) => {
    const text = read("docs/operations.md");
    const used = new Set(
      runtimes.flatMap(sources).flatMap((path) => [...read(path).matchAll(pattern)].map(([name]) => name)),
    );
    expect(used.size).toBeGreaterThan(10);
    expect([...used].filter((name) => !text.includes(name))).toEqual([]);
  });

  test("has a row for every field of every record of the ledger, and no other", () => {
    const declared = [...read("ledger/src/record.ts").matchAll(/export interface \w+ \{\n(.*?)\n\}/gs)].flatMap(
      ([, body = ""]) => {
        const type = /^ {2}readonly type: "([^"]+)"/m.exec(body)?.[1];
        const fields = [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name);
        return type === undefined ? [] : fields.filter((name) => name !== "type").map((name) => `${type} ${name}`);
      },
    );
    let type = "";
    const rows = [...read("docs/audit.md").matchAll(/^\| (?:`([a-z.]+)`)? ?\| `(\w+)` \|/gm)].map(([, name, field]) => {
      type = name ?? type;
      return `${type} ${field}`;
    });
    expect(declared.length).toBeGreaterThan(50);
    expect(rows).toEqual(declared);
  });

  test.each([
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    ...["docs", "docs/adr"].flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((name) => name.endsWith(".md"))
        .map((name) => `${folder}/${name}`),
    ),
  ])("%s links to what is there", (path) => {
    const targets = [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) =>
      join(root, path, "..", target ?? ""),
    );
    expect(targets.filter((target) => !statSync(target, { throwIfNoEntry: false }))).toEqual([]);
  });
});
