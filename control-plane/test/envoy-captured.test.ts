// Envoy itself accepts what we make for pods. Its own ports are moved, as every pod has the same.
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { LISTENER_TYPE_URL } from "@hedgerow/proto";
import { type Listener, ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { ResourceSchema } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { describe, expect, test } from "vitest";
import { decodeResource } from "../src/snapshot/decode.ts";
import type { ProxySnapshot, Resource } from "../src/snapshot/snapshot.ts";
import { translate } from "../src/translate/translate.ts";
import { testAuthority } from "./authority.ts";
import { capturedModels } from "./captured-models.ts";
import { TestEnvoy } from "./envoy.ts";
import { freePorts } from "./http.ts";
import { identityOf } from "./identity.ts";
import { TRUST_DOMAIN } from "./mesh.ts";

const authority = testAuthority(TRUST_DOMAIN, Date.now);

describe.each(Object.keys(capturedModels))("%s", (name) => {
  const model = capturedModels[name];
  if (model === undefined) throw new Error("no such model");
  const proxies = [...translate(model).values()];

  test.each(proxies.map((proxy) => [proxy.nodeId, proxy] as const))("%s runs all of it", async (nodeId, proxy) => {
    await using envoy = await TestEnvoy.start(await onFreePorts(proxy), identityOf(authority, nodeId, "any"));
    expect([await envoy.stat("update_rejected"), envoy.log().match(/\[(error|critical)\].*/g)]).toEqual([0, null]);
    const { listener_statuses }: { listener_statuses: { name: string }[] } = JSON.parse(
      await envoy.admin("/listeners?format=json"),
    );
    const names = listener_statuses.map((listener) => listener.name);
    expect(names.toSorted()).toEqual([...(proxy.resources.get(LISTENER_TYPE_URL)?.keys() ?? [])].toSorted());
  });
});

async function onFreePorts(proxy: ProxySnapshot): Promise<ProxySnapshot> {
  const ports = [...(await freePorts(2))];
  const listeners = [...(proxy.resources.get(LISTENER_TYPE_URL) ?? [])].map(([name, resource]) => {
    const message = decodeResource(resource) as Listener;
    return [name, message.bindToPort === false ? resource : moved(resource, message, ports.pop() ?? 0)] as const;
  });
  return { ...proxy, resources: new Map([...proxy.resources, [LISTENER_TYPE_URL, new Map(listeners)]]) };
}

function moved(resource: Resource, message: Listener, portValue: number): Resource {
  const address = message.address?.address;
  if (address?.case !== "socketAddress") throw new Error(`${resource.name} has no socket`);
  address.value.portSpecifier = { case: "portValue", value: portValue };
  const { name, version } = resource;
  const wire = create(ResourceSchema, { name, version, resource: anyPack(ListenerSchema, message) });
  return { ...resource, encoded: toBinary(ResourceSchema, wire) };
}
