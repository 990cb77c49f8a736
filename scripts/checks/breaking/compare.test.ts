import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { plantTree } from "../../testing/planted-tree.ts";
import { compareProto } from "./compare.ts";

const repository = resolve(import.meta.dirname, "../../..");
const proto = (name: string, field: string) =>
  `syntax = "proto3";\npackage ${name};\nmessage Planted {\n  ${field}\n}\n`;

test("proto/ is compared with its last change, and with a release once there is one", () => {
  using tree = plantTree({
    "buf.yaml": readFileSync(join(repository, "buf.yaml"), "utf8"),
    ".gitignore": "node_modules\n.cache\n",
    "proto/hedgerow/planted/v1/planted.proto": proto("hedgerow.planted.v1", "string id = 1;"),
    "proto/inference/planted.proto": proto("inference", "string id = 1;"),
    "proto/grpc/planted.proto": proto("grpc", "string id = 1;"),
  });
  const { root } = tree;
  for (const name of ["node_modules", ".cache"]) symlinkSync(join(repository, name), join(root, name));
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=test", "-c", "user.email=test@hedgerow.internal", ...args], { cwd: root });
  const change = (field: string) => {
    writeFileSync(join(root, "proto/hedgerow/planted/v1/planted.proto"), proto("hedgerow.planted.v1", field));
    git("commit", "--quiet", "--all", "--message", field);
  };
  git("init", "--quiet");
  git("add", ".");
  git("commit", "--quiet", "--message", "first");
  expect(compareProto(root)).toEqual({ kind: "nothing to compare" });

  change("string id = 1;\n  string name = 2;");
  expect(compareProto(root)).toMatchObject({ kind: "compared", released: false, breaks: [] });

  git("tag", "v0.1.0");
  change("int32 id = 1;\n  string name = 2;");
  expect(compareProto(root)).toMatchObject({
    kind: "compared",
    with: "v0.1.0",
    released: true,
    breaks: [expect.stringMatching(/planted\.proto:4:3:Field "1".* changed type from "string" to "int32"/)],
  });
});
