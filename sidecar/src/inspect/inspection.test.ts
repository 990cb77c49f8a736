import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ResourceSchema } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { FailMode, InspectionConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryLedgers } from "../../test/memory-recorder.ts";
import { until } from "../../test/until.ts";
import { Inspection } from "./inspection.ts";

let directory: string;
let ledgers: MemoryLedgers;
let late: number;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-inspection-"));
  path = join(directory, "inspection.binpb");
  ledgers = new MemoryLedgers();
  late = 0;
});
afterEach(() => rmSync(directory, { recursive: true }));

function inspection(file: string = path): Inspection {
  const appliedLate = () => {
    late += 1;
  };
  return new Inspection({
    path: file,
    open: ledgers.open,
    appliedLate,
    retryMs: 20,
    logger: pino({ level: "silent" }),
  });
}

type Port = NonNullable<MessageInitShape<typeof InspectionConfigSchema>["ports"]>[number];
const port = (number: number, ledger = "shop/all", bytes = 4096): Port => ({
  port: number,
  maxRequestBytes: BigInt(bytes),
  ledger,
});

function resource(version: string, config: MessageInitShape<typeof InspectionConfigSchema>): Uint8Array {
  const packed = anyPack(InspectionConfigSchema, create(InspectionConfigSchema, config));
  return toBinary(ResourceSchema, create(ResourceSchema, { name: "shop/web", version, resource: packed }));
}

const one = (bytes = 4096) => ({ ports: [port(80, "shop/all", bytes)], ledgers: [{ name: "shop/all" }] });

describe("a configuration", () => {
  test("empty: nothing is there, and nothing is inspected", async () => {
    const inspected = inspection();
    await inspected.load();
    expect(inspected.version).toBeUndefined();
    expect(inspected.portOf(80)).toBeUndefined();
  });

  test("is in force once it is applied, and for the next agent", async () => {
    const first = inspection();
    expect(await first.apply(resource("1", { ...one(), region: "ae-1" }))).toEqual([]);
    expect(first.version).toBe("1");
    expect(first.portOf(80)).toMatchObject({ failMode: "closed", rules: { maxRequestBytes: 4096 } });
    expect(first.portOf(80)?.recorder).toBe(ledgers.opened.get("shop/all"));
    expect(ledgers.opened.get("shop/all")?.region).toBe("ae-1");
    expect(statSync(path).mode & 0o777).toBe(0o600);

    const second = inspection();
    await second.load();
    expect(second.version).toBe("1");
    expect(second.portOf(80)?.rules.maxRequestBytes).toBe(4096);
  });

  test("changes settings of a ledger that is open, without opening it again", async () => {
    const inspected = inspection();
    await inspected.apply(resource("1", one()));
    const recorder = ledgers.opened.get("shop/all");
    const open = [{ name: "shop/all", failMode: FailMode.OPEN }];
    expect(await inspected.apply(resource("2", { ports: [port(80)], ledgers: open }))).toEqual([]);
    expect(ledgers.opened.get("shop/all")).toBe(recorder);
    expect(recorder?.failMode).toBe("open");
    expect(inspected.portOf(80)?.failMode).toBe("open");
  });

  test("that leaves a port and a ledger out still answers for them, until the end", async () => {
    const inspected = inspection();
    const more = [{ name: "shop/all" }, { name: "shop/more" }];
    await inspected.apply(resource("1", { ports: [port(80), port(81, "shop/more")], ledgers: more }));
    expect(await inspected.apply(resource("2", one(8192)))).toEqual([]);
    expect(inspected.portOf(80)?.rules.maxRequestBytes).toBe(8192);
    expect(inspected.portOf(81)).toMatchObject({ rules: { maxRequestBytes: 4096 }, recorder: { closed: false } });
    await inspected.remove();
    expect(inspected.version).toBeUndefined();
    expect(inspected.portOf(80)?.recorder).toMatchObject({ closed: false });
    expect(existsSync(path)).toBe(false);
    await inspected.close();
    expect([...ledgers.opened.values()].map(({ closed }) => closed)).toEqual([true, true]);
  });
});

describe("what can't be applied", () => {
  test("says everything in its way, and changes nothing", async () => {
    const inspected = inspection();
    await inspected.apply(resource("1", one()));
    ledgers.problems.set("shop/a", "read /secrets/a/key: no such file");
    ledgers.problems.set("shop/b", "read /secrets/b/key: no such file");
    const broken = {
      ports: [port(80, "shop/all", 8192), port(81, "shop/a")],
      ledgers: [{ name: "shop/all", failMode: FailMode.OPEN }, { name: "shop/a" }, { name: "shop/b" }],
    };
    expect(await inspected.apply(resource("2", broken))).toEqual([...ledgers.problems.values()]);
    expect(inspected.version).toBe("1");
    expect(inspected.portOf(80)).toMatchObject({ failMode: "closed", rules: { maxRequestBytes: 4096 } });
    expect(ledgers.opened.get("shop/all")?.failMode).toBe("closed");
    const kept = readFileSync(path);
    expect(kept.equals(resource("1", one()))).toBe(true);
    await inspected.close();
  });

  test("is tried again by itself until it is in force", async () => {
    const inspected = inspection();
    ledgers.problems.set("shop/all", "read /secrets/a/key: no such file");
    expect(await inspected.apply(resource("1", one()))).toHaveLength(1);
    expect(late).toBe(0);
    ledgers.problems.clear();
    await until("it is in force", () => late === 1);
    expect(inspected.version).toBe("1");
    expect(inspected.portOf(80)?.recorder).toBeDefined();
    await inspected.close();
  });

  test("is not tried again once something newer is there", async () => {
    const inspected = inspection();
    ledgers.problems.set("shop/a", "away");
    await inspected.apply(resource("1", { ports: [port(80, "shop/a")], ledgers: [{ name: "shop/a" }] }));
    await inspected.apply(resource("2", one()));
    ledgers.problems.clear();
    // Were the older one tried, it would have been before this is.
    ledgers.problems.set("shop/b", "away");
    await inspected.apply(resource("3", { ports: [], ledgers: [{ name: "shop/b" }] }));
    ledgers.problems.clear();
    await until("the newest is in force", () => inspected.version === "3");
    expect(inspected.portOf(80)?.rules.ledger).toBe("shop/all");
    await inspected.close();
  });

  test.each<[what: string, encoded: Uint8Array, problem: RegExp]>([
    ["bytes that are none", Buffer.from("hello"), /^decode InspectionConfig: /],
    ["a resource of another type", toBinary(ResourceSchema, create(ResourceSchema, {})), /^resource holds no /],
  ])("%s", async (_, encoded, problem) => {
    const inspected = inspection();
    expect(await inspected.apply(encoded)).toEqual([expect.stringMatching(problem)]);
    expect(existsSync(path)).toBe(false);
    await inspected.close();
  });

  test("after a restart refuses by its rules rather than not knowing the port, and claims no version", async () => {
    writeFileSync(path, resource("1", one()));
    ledgers.problems.set("shop/all", "read /secrets/a/key: no such file");
    const inspected = inspection();
    await inspected.load();
    expect(inspected.version).toBeUndefined();
    expect(inspected.portOf(80)).toMatchObject({ failMode: "closed", recorder: undefined });
    await inspected.close();
  });
});

test("a configuration that can't be kept is in force, and an older one is not left behind", async () => {
  const inspected = inspection(join(directory, "absent", "inspection.binpb"));
  expect(await inspected.apply(resource("1", one()))).toEqual([]);
  expect(inspected.version).toBe("1");
});
