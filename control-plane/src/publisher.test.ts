import { objectKey, objectRef } from "@hedgerow/manifest";
import { pino } from "pino";
import { expect, test } from "vitest";
import { parse, TRUST_DOMAIN } from "../test/mesh.ts";
import { type SourceView, viewOf } from "./last-good/source-view.ts";
import { Publisher } from "./publisher.ts";

const objects = parse(`
apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: hedgerow-system }
spec: { trustDomain: ${TRUST_DOMAIN} }
`);
const atGeneration = (generation: number): SourceView =>
  viewOf({
    objects,
    generations: new Map(objects.map(({ manifest }) => [objectKey(objectRef(manifest)), generation])),
  });

test("its view is what its snapshot was made from: not what is still to be translated, nor what could not be", () => {
  let view = atGeneration(1);
  let isBroken = false;
  using publisher = new Publisher({
    trustDomain: TRUST_DOMAIN,
    view: () => view,
    ready: () => {
      if (isBroken) throw new Error("broken");
      return new Set();
    },
    ads: { publish: () => {} },
    lastResolved: [],
    keepResolved: () => {},
    logger: pino({ enabled: false }),
    counted: () => {},
  });
  expect(publisher.view.objects).toEqual([]);
  publisher.publish();
  const first = view;
  expect(publisher.view).toBe(first);
  view = atGeneration(2);
  expect(publisher.view).toBe(first);
  isBroken = true;
  publisher.publish();
  expect(publisher.view).toBe(first);
  isBroken = false;
  publisher.publish();
  expect(publisher.view).toBe(view);
});
