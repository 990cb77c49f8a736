import { readFileSync } from "node:fs";
import {
  DEFAULT_CONCURRENCY,
  DEFAULT_ENROLL_ADDRESS,
  DEFAULT_MESH_ADDRESS,
  type InjectionContext,
  injectPod,
  type PatchOperation,
  podPlaces,
  SYSTEM_NAMESPACES,
} from "@hedgerow/control-plane";
import type { Command } from "commander";
import { stringify } from "yaml";
import type { InjectOptions } from "../commands/inject.ts";
import { CliError, type ExitCode, exitCodes, reasonOf } from "../errors.ts";
import { readRoots } from "../identity/roots.ts";
import { editPiece, readPiece, splitYaml } from "../manifests/edit-yaml.ts";
import { type ManifestFile, readManifests } from "../manifests/read.ts";
import { printable } from "../screen/printable.ts";
import type { Session } from "../session.ts";
import { cliVersion } from "../version.ts";

/** What became of a document. */
interface Outcome {
  readonly text: string;
  readonly refusals: readonly string[];
  /** For the person: what was done, left or doubted. */
  readonly notes: readonly string[];
}

export async function inject(session: Session, command: Command, options: InjectOptions): Promise<ExitCode> {
  if (command.optsWithGlobals<{ output?: string }>().output !== undefined)
    throw new CliError("usage", "inject prints what it read, YAML or JSON: -o does not apply");
  const context = contextOf(session, options);
  const files = await readManifests(options.file, () => session.host.readStdin());
  const outcomes = files.flatMap((file) => injectFile(file, context));
  const refusals = outcomes.flatMap(({ refusals }) => refusals);
  const notes = outcomes.flatMap(({ notes }) => notes);
  for (const line of [...notes, ...refusals]) session.say(`${printable(line)}\n`);
  if (refusals.length > 0) return exitCodes.bad;
  session.print(joined(outcomes.map(({ text }) => text)));
  return exitCodes.ok;
}

function contextOf({ host }: Session, { roots, image, revision, enroll, mesh }: InjectOptions): InjectionContext {
  const { trustDomain, digests } = readRoots(roots, readFile(roots));
  const version = cliVersion();
  const address = (flag: string, given: string | undefined, byDefault: string) => {
    const port = Number(/^[^\s:]+:([0-9]{1,5})$/.exec(given ?? byDefault)?.[1]);
    if (port >= 1 && port <= 65_535) return given ?? byDefault;
    throw new CliError("usage", `${flag} must be HOST:PORT, not ${JSON.stringify(given)}`);
  };
  return {
    revision,
    version,
    image: image ?? (host.env["HEDGEROW_SIDECAR_IMAGE"] || `hedgerow.dev/sidecar:${version}`),
    trustDomain,
    rootDigests: digests,
    enrollAddress: address("--enroll", enroll, DEFAULT_ENROLL_ADDRESS),
    meshAddress: address("--mesh", mesh, DEFAULT_MESH_ADDRESS),
    concurrency: DEFAULT_CONCURRENCY,
  };
}

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CliError("usage", `could not read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

function injectFile({ file, text }: ManifestFile, context: InjectionContext): readonly Outcome[] {
  const source = text.replace(/^\uFEFF/, "");
  const json = parseJson(source);
  if (json !== undefined) {
    const { operations, value, ...said } = injectValue(json, file, context);
    return [{ ...said, text: operations.length === 0 ? source : `${JSON.stringify(value, null, 2)}\n` }];
  }
  return splitYaml(source).map((piece) => {
    const read = readPiece(piece.text);
    if (read.kind === "nothing") return { text: piece.text, refusals: [], notes: [] };
    if (read.kind === "problem")
      return { text: "", refusals: [`${file}:${piece.line + read.line - 1}: not YAML: ${read.message}`], notes: [] };
    const { operations, value, refusals, notes } = injectValue(read.value, `${file}:${piece.line}`, context);
    if (operations.length === 0) return { text: piece.text, refusals, notes };
    const edited = editPiece(piece.text, operations);
    if (edited !== undefined) return { text: edited, refusals, notes };
    const why = `${file}:${piece.line}: has aliases: written out, without its comments`;
    return { text: `---\n${stringify(value, { lineWidth: 0 })}`, refusals, notes: [...notes, why] };
  });
}

/** Undefined where it is no JSON: most of what is JSON to a person is a mapping. */
function parseJson(text: string): unknown {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // YAML may begin so, too.
    return undefined;
  }
}

function injectValue(object: unknown, place: string, context: InjectionContext) {
  const operations: PatchOperation[] = [];
  const refusals: string[] = [];
  const notes: string[] = [];
  let value = object;
  for (const { owner, path, pod, namespace } of podPlaces(object)) {
    const say = (list: string[], words: string) => list.push(`${place}: ${owner}: ${words}`);
    if (namespace !== undefined && SYSTEM_NAMESPACES.includes(namespace)) {
      say(notes, `left as it is: nothing in ${namespace} is injected`);
      continue;
    }
    const result = injectPod(pod, context);
    switch (result.kind) {
      case "refuse":
        say(refusals, `refused: ${result.reason}`);
        break;
      case "skip":
        say(notes, `left as it is: ${result.reason}`);
        break;
      case "patch":
        for (const warning of result.warnings) say(notes, `warning: ${warning}`);
        operations.push(
          ...result.operations.map((operation) => ({ ...operation, path: [...path, ...operation.path] })),
        );
        value = replaced(value, path, result.pod);
    }
  }
  return { operations, value, refusals, notes };
}

/** `value` with another thing at `path`. */
function replaced(value: unknown, [first, ...rest]: readonly (string | number)[], thing: unknown): unknown {
  if (first === undefined) return thing;
  if (Array.isArray(value))
    return value.map((entry: unknown, index) => (index === first ? replaced(entry, rest, thing) : entry));
  const fields = Object.entries(typeof value === "object" && value !== null ? value : {});
  return Object.fromEntries(
    fields.map(([name, entry]) => [name, name === first ? replaced(entry, rest, thing) : entry]),
  );
}

/** Documents one after the other; those of different files have a `---` between them. */
function joined(texts: readonly string[]): string {
  let all = "";
  for (const text of texts) {
    if (all !== "" && !all.endsWith("\n")) all += "\n";
    if (all !== "" && !/^---(\s|$)/.test(text)) all += "---\n";
    all += text;
  }
  return all;
}
