import { INSPECTION_CONFIG_TYPE_URL, WORKLOAD_CONFIG_TYPE_URL } from "@hedgerow/proto";
import { describe, expect, test } from "vitest";
import type { DeltaRequest, DeltaResponse } from "./delta-messages.ts";
import { type Effects, RelaySession } from "./session.ts";

const NAME = "shop/web";
const encoded = new Uint8Array([1]);

function response(nonce: string, version: string | undefined): DeltaResponse {
  const resources = version === undefined ? [] : [{ name: NAME, version, encoded }];
  const removed = version === undefined ? [NAME] : [];
  return { typeUrl: INSPECTION_CONFIG_TYPE_URL, nonce, resources, removed };
}

const inspectionOf = ({ toUpstream }: Effects): readonly DeltaRequest[] =>
  toUpstream.filter(({ typeUrl }) => typeUrl === INSPECTION_CONFIG_TYPE_URL);

function ticketOf({ inspection }: Effects): number {
  if (inspection === undefined) throw new Error("nothing to apply");
  return inspection.ticket;
}

describe("what is to be inspected", () => {
  test("is asked for beside the workload's configuration, with the version that is in force", () => {
    const { toUpstream } = new RelaySession(NAME, "7").upstreamConnected();
    expect(toUpstream).toMatchObject([
      { typeUrl: WORKLOAD_CONFIG_TYPE_URL, subscribe: [NAME], initialVersions: {} },
      { typeUrl: INSPECTION_CONFIG_TYPE_URL, subscribe: [NAME], initialVersions: { [NAME]: "7" } },
    ]);
  });

  test("is acknowledged when it has been applied, not before", () => {
    const session = new RelaySession(NAME);
    session.upstreamConnected();
    const received = session.fromUpstream(response("n1", "1"));
    expect(received.inspection).toMatchObject({ kind: "set", resource: { version: "1" } });
    expect(inspectionOf(received)).toEqual([]);
    const done = session.inspectionDone(ticketOf(received), "1", []);
    expect(inspectionOf(done)).toMatchObject([{ responseNonce: "n1", error: undefined, subscribe: [] }]);
    session.upstreamDisconnected();
    expect(inspectionOf(session.upstreamConnected())).toMatchObject([{ initialVersions: { [NAME]: "1" } }]);
  });

  test("is refused by name with every problem, and the former version goes on", () => {
    const session = new RelaySession(NAME, "1");
    session.upstreamConnected();
    const ticket = ticketOf(session.fromUpstream(response("n1", "2")));
    const done = session.inspectionDone(ticket, "1", ["no file a", "no file b"]);
    const error = "Error adding/updating resource(s) shop/web: no file a; no file b";
    expect(inspectionOf(done)).toMatchObject([{ responseNonce: "n1", error }]);
    expect(done.events).toEqual([{ kind: "own_config_rejected", message: error }]);
    session.upstreamDisconnected();
    expect(inspectionOf(session.upstreamConnected())).toMatchObject([{ initialVersions: { [NAME]: "1" } }]);
  });

  test("that could be applied after a refusal is told on a new stream", () => {
    const session = new RelaySession(NAME);
    session.upstreamConnected();
    session.inspectionDone(ticketOf(session.fromUpstream(response("n1", "2"))), undefined, ["no file"]);
    expect(session.inspectionLate("2").resetUpstream).toBeDefined();
    session.upstreamDisconnected();
    expect(inspectionOf(session.upstreamConnected())).toMatchObject([{ initialVersions: { [NAME]: "2" } }]);
  });

  test("that is removed, or never was, is taken out and acknowledged", () => {
    const session = new RelaySession(NAME, "1");
    session.upstreamConnected();
    const received = session.fromUpstream(response("n1", undefined));
    expect(received.inspection).toMatchObject({ kind: "removed" });
    const done = session.inspectionDone(ticketOf(received), undefined, []);
    expect(inspectionOf(done)).toMatchObject([{ responseNonce: "n1", error: undefined }]);
  });

  test("is not acknowledged on a stream that did not bring it", () => {
    const session = new RelaySession(NAME);
    session.upstreamConnected();
    const first = ticketOf(session.fromUpstream(response("n1", "1")));
    session.upstreamDisconnected();
    expect(inspectionOf(session.inspectionDone(first, "1", []))).toEqual([]);
    session.upstreamConnected();
    const second = ticketOf(session.fromUpstream(response("n1", "2")));
    expect(inspectionOf(session.inspectionDone(first, "1", []))).toEqual([]);
    expect(inspectionOf(session.inspectionDone(second, "2", []))).toMatchObject([{ responseNonce: "n1" }]);
  });
});

test("Envoy can't ask for what is the agent's", () => {
  const session = new RelaySession(NAME);
  session.envoyConnected();
  for (const typeUrl of [INSPECTION_CONFIG_TYPE_URL, WORKLOAD_CONFIG_TYPE_URL]) {
    const asked = { typeUrl, subscribe: [NAME], unsubscribe: [], initialVersions: {}, responseNonce: "" };
    expect(session.fromEnvoy({ ...asked, error: undefined }).resetEnvoy).toBe(`type ${typeUrl} is not relayed`);
  }
});
