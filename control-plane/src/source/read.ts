import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { defaultParseLimits, fileProblem, parseFile } from "@hedgerow/manifest";
import { messageOf } from "../errors.ts";
import type { FileState } from "../last-good/merge.ts";
import { type Signature, signatureOf } from "./scan.ts";

export interface FileContent {
  readonly text: string;
  readonly state: FileState;
}

/** Reads and parses a manifest file that had a certain signature; undefined when it has another one by now. */
export async function readManifestFile(
  root: string,
  file: string,
  before: Signature,
): Promise<FileContent | undefined> {
  const broken = (code: "unreadable" | "too_large" | "syntax", message: string): FileContent => ({
    text: "",
    state: { file, documents: [], problems: [fileProblem(file, code, message)] },
  });
  if (before.bytes > defaultParseLimits.bytes)
    return broken("too_large", `file has ${before.bytes} bytes, at most ${defaultParseLimits.bytes} are read`);
  let content: FileContent;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(join(root, file)));
    content = { text, state: { file, ...parseFile(file, text) } };
  } catch (error) {
    content =
      error instanceof TypeError
        ? broken("syntax", "file is not UTF-8")
        : broken("unreadable", `file cannot be read: ${messageOf(error)}`);
  }
  return (await signatureOf(join(root, file))).id === before.id ? content : undefined;
}
