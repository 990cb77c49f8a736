import { describe, expect, it } from "vitest";
import { batchJob, decision, denial, policyEdit, refusal, written } from "../testing/records.ts";
import type { EntryRecord } from "./entry.ts";
import { isSelected, type Selection } from "./selection.ts";

const everything: Selection = { types: new Set(), range: {} };
const allowed = written(1, decision("7Q3FK2M9D0Z4XN8B"));
const denied = written(2, denial("8R4GK2M9D0Z4XN8B", { version: "1" }));
const repeat = written(3, decision("9S5HK2M9D0Z4XN8B", { repeats: "7Q3FK2M9D0Z4XN8B" }));
const refused = written(4, refusal("r-1", { policy: "models/digits, models/extra" }), "2026-11-24T10:00:00.000Z");
const { caller: _, ...nobody } = decision("AS5HK2M9D0Z4XN8B");
const plain = written(5, nobody);
const edited = written(6, policyEdit("update"));
const all: readonly EntryRecord[] = [allowed, denied, repeat, refused, plain, edited];

describe("a selection", () => {
  it.each<[what: string, selection: Partial<Selection>, found: readonly EntryRecord[]]>([
    ["nothing said: all requests", {}, [allowed, denied, repeat, refused, plain]],
    ["a type", { types: new Set(["policy.edited"] as const) }, [edited]],
    ["what was refused, by whomever", { verdict: "deny" }, [denied, refused]],
    ["what was let through", { verdict: "allow" }, [allowed, repeat, plain]],
    ["a service account", { caller: "apps/batch-job" }, [denied, refused]],
    ["a whole id", { caller: batchJob }, [denied, refused]],
    ["a namespace", { caller: "apps/*" }, [allowed, denied, repeat, refused]],
    ["no longer name", { caller: "apps/batch" }, []],
    ["callers without an identity", { caller: "none" }, [plain]],
    ["a model", { model: "digits" }, [allowed, denied, repeat, plain]],
    ["a model's version", { model: "digits@2" }, [allowed, repeat, plain]],
    ["a reason, of Envoy's words too", { reason: "too_large" }, [refused]],
    ["a reason of the agent's", { reason: "access" }, [denied]],
    ["a policy, of several that governed", { policy: "models/extra" }, [refused]],
    ["a decision, with what repeats it", { decision: "7q3f" }, [allowed, repeat]],
    ["a request id", { request: "r-1" }, [refused]],
    ["a time, by when it happened", { range: { toMs: Date.parse("2026-11-24T09:00:00Z") } }, []],
    [
      "from a time on",
      { range: { fromMs: Date.parse("2026-11-24T09:00:00Z") } },
      [allowed, denied, repeat, refused, plain],
    ],
    ["all of several", { verdict: "deny", model: "digits" }, [denied]],
  ])("%s", (_, selection, found) => {
    expect(all.filter((record) => isSelected({ ...everything, ...selection }, record))).toEqual(found);
  });

  it("does not hide a record whose time can't be read", () => {
    expect(isSelected({ ...everything, range: { fromMs: 0, toMs: 1 } }, written(1, decision("A"), "yesterday"))).toBe(
      true,
    );
  });
});
