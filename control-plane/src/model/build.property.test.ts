// A model that is built on the one before is the model that is built from nothing.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { edit, emptyWorld, type World } from "../../test/arbitrary-cluster.ts";
import { TRUST_DOMAIN } from "../../test/mesh.ts";
import { checkConsistency } from "../snapshot/consistency.ts";
import type { MeshSnapshot } from "../snapshot/snapshot.ts";
import { Translator } from "../translate/translator.ts";
import { buildModel, ModelBuilder, type ModelResult } from "./build.ts";

const inputOf = (world: World, lastResolved: ModelResult["resolved"]) => ({
  ...world,
  lastResolved,
  trustDomain: TRUST_DOMAIN,
});

/** With the order of maps, which are compared without it otherwise. */
function contentOf({ model, resolved, ...rest }: ModelResult) {
  const { workloads, services, trustDomain } = model;
  return { ...rest, trustDomain, workloads: [...workloads], services: [...services], resolved: [...resolved] };
}

function versionsOf(snapshot: MeshSnapshot) {
  return [...snapshot.keys()].map((nodeId) => [
    nodeId,
    [...(snapshot.get(nodeId)?.resources.values() ?? [])].flatMap((byName) =>
      [...byName.values()].map(({ typeUrl, name, version, origins }) =>
        JSON.stringify([typeUrl, name, version, origins]),
      ),
    ),
  ]);
}

describe("after any edits", () => {
  test("the model and all that is translated from it are as from nothing, and nothing dangles", () => {
    fc.assert(
      fc.property(fc.array(fc.array(edit, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), (steps) => {
        const builder = new ModelBuilder();
        const translator = new Translator();
        let world = emptyWorld;
        let resolved: ModelResult["resolved"] = new Map();
        for (const edits of [[], ...steps]) {
          for (const apply of edits) world = apply(world);
          const built = builder.build(inputOf(world, resolved));
          expect(contentOf(built)).toEqual(contentOf(buildModel(inputOf(world, resolved))));
          const snapshot = translator.translate(built.model);
          expect(checkConsistency(snapshot)).toEqual([]);
          expect(versionsOf(snapshot)).toEqual(versionsOf(new Translator().translate(built.model)));
          resolved = built.resolved;
        }
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
