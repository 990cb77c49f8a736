import { describe, expect, it } from "vitest";
import { policyEdit, written } from "../testing/records.ts";
import { type PolicyEdit, PolicyHistory } from "./policies.ts";
import { describePolicy } from "./policy-words.ts";

const range = { fromMs: Date.parse("2026-10-01"), toMs: Date.parse("2026-11-01") };

function views(...edits: readonly PolicyEdit[]) {
  const history = new PolicyHistory(range);
  for (const edit of edits) history.add(edit);
  return history.views();
}
const at = (time: string, ...edit: Parameters<typeof policyEdit>): PolicyEdit =>
  written(0, policyEdit(...edit), `${time}T00:00:00.000Z`);

describe("policies over a period", () => {
  it("are those that were in force when it began, though nobody edited them", () => {
    const made = at("2026-01-01", "create");
    expect(views(made)).toEqual([
      { name: "AccessPolicy/models/digits", kind: "AccessPolicy", before: made, after: made, edits: [], leftOut: 0 },
    ]);
  });

  it("are not those that were removed before it began, or made after it", () => {
    expect(views(at("2026-01-01", "create"), at("2026-02-01", "delete"))).toEqual([]);
    expect(views(at("2026-12-01", "create"))).toEqual([]);
  });

  it("show each edit, of which a refused one changes nothing", () => {
    const [made, changed, refused] = [
      at("2026-01-01", "create"),
      at("2026-10-02", "update", { generation: 2 }),
      at("2026-10-03", "refused", { generation: 3 }),
    ];
    expect(views(made, changed, refused)).toMatchObject([{ before: made, after: changed, edits: [changed, refused] }]);
  });

  it("count once what two replicas recorded, in whatever order their ledgers are read", () => {
    const edits = [at("2026-10-02", "create"), at("2026-10-03", "delete", { generation: 2 })];
    const [view] = views(...edits, ...edits);
    expect(view?.edits).toEqual(edits);
    expect(view).not.toHaveProperty("after");
    expect(views(...edits, at("2026-10-02", "create", { by: "another" }))[0]).not.toHaveProperty("after");
  });

  it("keep the newest of very many edits", () => {
    const edits = Array.from({ length: 60 }, (_, index) =>
      written(
        index,
        policyEdit("update", { generation: index }),
        `2026-10-02T00:00:${String(index).padStart(2, "0")}.000Z`,
      ),
    );
    expect(views(...edits)).toMatchObject([{ leftOut: 10, after: edits[59] }]);
  });
});

describe("a policy in plain words", () => {
  it.each<[what: string, changes: Parameters<typeof policyEdit>[1], expected: readonly string[]]>([
    [
      "access",
      {},
      ['Of digits: apps/reader may ask for predictions (rule "readers").', "Nobody else may do anything."],
    ],
    [
      "access for nobody",
      { spec: { targetRefs: [{ kind: "Service", name: "digits" }], allow: [] } },
      ["Of digits: nobody may call it."],
    ],
    [
      "traffic",
      { kind: "TrafficPolicy", spec: { targetRefs: [{ kind: "Service", name: "digits" }], maxRequestBytes: "1Mi" } },
      ["Of digits: a request may have 1 MiB at most."],
    ],
    [
      "what a control plane had read",
      {
        kind: "TrafficPolicy",
        spec: { targetRefs: [{ group: "", kind: "Service", name: "digits" }], maxRequestBytes: 65536 },
      },
      ["Of digits: a request may have 64 KiB at most."],
    ],
    [
      "settings that a control plane had read",
      {
        kind: "MeshConfig",
        name: "mesh",
        spec: {
          trustDomain: "bank.example",
          identity: { lifetime: 86_400_000 },
          access: { default: "deny" },
          mtls: { mode: "strict" },
        },
      },
      [
        "Identities of the mesh are those of bank.example.",
        "A service without an access policy may be called by nobody.",
        "Callers without an identity get no connection.",
      ],
    ],
    [
      "recording that a control plane had read",
      {
        kind: "AuditPolicy",
        spec: {
          targetRefs: [{ group: "", kind: "Namespace", name: "models" }],
          durability: { fsync: "batch", every: 5 },
          failMode: "open",
          keys: { encryption: { secretName: "kek" } },
          digests: { output: false },
          payload: { sample: 10_000, maxBytes: 65_536, recipient: { secretName: "auditor" } },
          retention: { class: "banking", keepYears: 7, legalHold: true },
          sinks: [{ name: "vault", region: "me-central-1", required: true, file: { path: "/vault" } }],
        },
      },
      [
        "Every request to everything in namespace models is decided and recorded before it is answered.",
        "What can't be recorded is answered, and counted as missing.",
        "Records are kept for 7 years (banking), and nothing is deleted: a legal hold is in force.",
        "Records are encrypted on disk.",
        "Contents of some requests (1 %) are recorded, readable by the auditor alone.",
        'Copies go to "vault" in me-central-1, before a request is answered.',
      ],
    ],
    ["a kind that it does not know", { kind: "GuardPolicy", spec: { a: 1 } }, ['{"a":1}']],
    ["a spec that is none", { spec: { allow: "<script>" } }, ['{"allow":"<script>"}']],
    ["nothing", { spec: undefined }, []],
  ])("%s", (_, changes, expected) => {
    expect(describePolicy(written(1, policyEdit("update", changes)))).toEqual(expected);
  });
});
