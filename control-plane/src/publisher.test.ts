import { objectKey, objectRef } from "@hedgerow/manifest";
import { pino } from "pino";
import { expect, test } from "vitest";
import { parse, TRUST_DOMAIN } from "../test/mesh.ts";
import { type SourceView, viewOf } from "./last-good/source-view.ts";
import { Publisher, type PublisherDeps } from "./publisher.ts";

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
const deps: Omit<PublisherDeps, "view"> = {
  trustDomain: TRUST_DOMAIN,
  ready: () => new Set(),
  ads: { publish: () => {} },
  lastResolved: [],
  keepResolved: () => {},
  logger: pino({ enabled: false }),
  counted: () => {},
};

test("what is published without an edit, as endpoints come and go, is no line at level info", () => {
  let view = atGeneration(1);
  const lines: string[] = [];
  using publisher = new Publisher({
    ...deps,
    view: () => view,
    logger: pino({ level: "info" }, { write: (line) => void lines.push(line) }),
  });
  publisher.publish();
  view = { ...view, cluster: { pods: new Map(), services: new Map(), namespaces: new Map() } };
  publisher.publish();
  expect(lines).toHaveLength(1);
});

test("its view is what its snapshot was made from: not what is still to be translated, nor what could not be", () => {
  let view = atGeneration(1);
  let isBroken = false;
  using publisher = new Publisher({
    ...deps,
    view: () => view,
    ready: () => {
      if (isBroken) throw new Error("broken");
      return new Set();
    },
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
