import { quoted } from "../text/quoted.ts";
import type { ModelSignature } from "./signature.ts";

/** Every loaded model by name, the highest version first. */
export type ModelCatalog = ReadonlyMap<string, readonly [ModelSignature, ...ModelSignature[]]>;

export type Resolution =
  | { readonly ok: true; readonly value: ModelSignature }
  | { readonly ok: false; readonly problem: string };

/** The catalog of what was loaded, whatever its order. */
export function buildCatalog(models: readonly ModelSignature[]): ModelCatalog {
  const catalog = new Map<string, [ModelSignature, ...ModelSignature[]]>();
  for (const model of models.toSorted((a, b) => Number(b.version) - Number(a.version))) {
    const versions = catalog.get(model.name);
    if (versions === undefined) catalog.set(model.name, [model]);
    else versions.push(model);
  }
  return catalog;
}

/** The named version, or the highest where `version` is empty. There is no other version policy yet. */
export function resolveModel(catalog: ModelCatalog, name: string, version: string): Resolution {
  const versions = catalog.get(name);
  if (versions === undefined) return { ok: false, problem: `no model is named ${quoted(name)}` };
  const model = version === "" ? versions[0] : versions.find((candidate) => candidate.version === version);
  if (model !== undefined) return { ok: true, value: model };
  const known = versions.slice(0, 10).map((candidate) => candidate.version);
  return {
    ok: false,
    problem: `model ${quoted(name)} has no version ${quoted(version)}, only ${known.join(", ")}${versions.length > known.length ? ", …" : ""}`,
  };
}
