// Envoy itself accepts what we make of every example.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LISTENER_TYPE_URL } from "@hedgerow/proto";
import { describe, expect, test } from "vitest";
import { testAuthority } from "./authority.ts";
import { TestEnvoy } from "./envoy.ts";
import { freePorts } from "./http.ts";
import { identityOf } from "./identity.ts";
import { build, parse, TRUST_DOMAIN } from "./mesh.ts";

const examples = join(import.meta.dirname, "../../manifests/examples");
const authority = testAuthority(TRUST_DOMAIN, Date.now);

describe.each(readdirSync(examples).filter((file) => file.endsWith(".yaml")))("%s", (file) => {
  test("is accepted whole by every Envoy of it", async () => {
    const { snapshot } = build(parse(await onThisMachine(readFileSync(join(examples, file), "utf8")), file));
    for (const proxy of snapshot.values()) {
      await using envoy = await TestEnvoy.start(proxy, identityOf(authority, proxy.nodeId, "any"));
      expect([await envoy.stat("update_rejected"), envoy.log().match(/\[error\].*/g)]).toEqual([0, null]);
      const { listener_statuses }: { listener_statuses: { name: string }[] } = JSON.parse(
        await envoy.admin("/listeners?format=json"),
      );
      const names = listener_statuses.map(({ name }) => name);
      expect(names.toSorted()).toEqual([...(proxy.resources.get(LISTENER_TYPE_URL)?.keys() ?? [])].toSorted());
    }
  });
});

/** The same mesh on 127.0.0.1, every listener on a port of its own. */
async function onThisMachine(yaml: string): Promise<string> {
  const socket = /\blocalPort: \d+|\bport: \d+(?=, appPort)/g;
  const ports = [...(await freePorts([...yaml.matchAll(socket)].length))];
  return yaml
    .replaceAll(socket, (field) => `${field.split(":")[0]}: ${ports.pop()}`)
    .replaceAll(/\baddress: .*/g, "address: 127.0.0.1");
}
