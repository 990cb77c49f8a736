import type { RecordProof } from "@hedgerow/ledger";
import { CliError } from "../errors.ts";

/** 64 MiB segments of the shortest records have fewer than that. */
const MAX_FOLLOWING = 1_000_000;
const isHash = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const isHashes = (value: unknown, most: number): value is string[] =>
  Array.isArray(value) && value.length <= most && value.every(isHash);

type Fields = Readonly<Record<string, unknown>>;

/** What stands in a file that `audit prove` wrote. `name` is for messages. @throws CliError usage: it is none. */
export function parseProof(name: string, text: string): RecordProof {
  const { format, payload, inclusion, previous, following, checkpoint, witness } = parseObject(name, text);
  if (format !== "hedgerow-proof/1") throw notProof(name);
  if (typeof payload !== "string" || typeof checkpoint !== "string") throw notProof(name);
  if (!isHash(previous) || !isHashes(following, MAX_FOLLOWING)) throw notProof(name);
  if (witness !== undefined && typeof witness !== "string") throw notProof(name);
  const way = inclusion === undefined ? undefined : parseInclusion(inclusion);
  if (inclusion !== undefined && way === undefined) throw notProof(name);
  return {
    format,
    payload,
    previous,
    following,
    checkpoint,
    ...(way === undefined ? {} : { inclusion: way }),
    ...(witness === undefined ? {} : { witness }),
  };
}

function parseInclusion(value: unknown): RecordProof["inclusion"] {
  if (!isFields(value)) return undefined;
  const { index, size, path, closing } = value;
  if (!isCount(index) || !isCount(size) || !isHashes(path, 64) || typeof closing !== "string") return undefined;
  return { index, size, path, closing };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseObject(name: string, text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError("usage", `${name} holds no JSON: \`hedgerow audit prove\` writes what is verified here`, {
      cause: error,
    });
  }
  if (!isFields(value)) throw notProof(name);
  return value;
}

function notProof(name: string): CliError {
  return new CliError("usage", `${name} is no proof of format hedgerow-proof/1, as \`hedgerow audit prove\` writes it`);
}
