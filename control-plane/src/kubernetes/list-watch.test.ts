import { pino } from "pino";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type Call, ScriptedApi } from "../../test/scripted-api.ts";
import { fieldOf } from "./json-fields.ts";
import { ListWatch, type ListWatchEvent, type ListWatchOptions } from "./list-watch.ts";

const path = "/apis/a.example/v1/things";

/** A thing that is kept as its `value`; one without is not. */
const thing = (name: string, resourceVersion: number, value?: string): unknown => ({
  metadata: { namespace: "n", name, resourceVersion: String(resourceVersion) },
  ...(value === undefined ? {} : { value }),
});
const list = (resourceVersion: number, items: readonly unknown[], next?: string): unknown => ({
  metadata: { resourceVersion: String(resourceVersion), ...(next === undefined ? {} : { continue: next }) },
  items,
});
const expired = { kind: "Status", reason: "Expired", code: 410, message: "too old resource version" };

/** What was told, in short, and a way to wait for it. */
class Told {
  readonly events: string[] = [];
  #waiting: (() => void)[] = [];

  readonly take = (event: ListWatchEvent<string>): void => {
    const { kind } = event;
    this.events.push(kind === "put" ? `${event.key}=${event.value}` : kind === "remove" ? `-${event.key}` : kind);
    for (const wake of this.#waiting.splice(0)) wake();
  };

  /** Resolves with what was told since the last call, once it ends like this. */
  async until(last: string): Promise<readonly string[]> {
    while (this.events.at(-1) !== last) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.events.splice(0);
  }
}

const log: string[] = [];
const logger = pino({}, { write: (line: string) => void log.push((JSON.parse(line) as { msg: string }).msg) });

function follow(api: ScriptedApi, told: Told, settings: Partial<ListWatchOptions<string>> = {}): ListWatch<string> {
  return new ListWatch<string>({
    client: api.client,
    logger,
    path,
    project: ({ raw }) => {
      const value = fieldOf(raw, "value");
      return typeof value === "string" ? value : undefined;
    },
    onEvent: told.take,
    ...settings,
  });
}

/** Answers a list, and the watch that follows. */
async function answerList(api: ScriptedApi, page: unknown): Promise<Call> {
  const call = await api.next();
  expect([call.path, call.query.get("watch"), call.query.get("continue")]).toEqual([path, null, null]);
  call.json(200, page);
  return nextWatch(api);
}

async function nextWatch(api: ScriptedApi): Promise<Call> {
  const call = await api.next();
  expect(call.query.get("watch")).toBe("1");
  expect(call.query.get("allowWatchBookmarks")).toBe("true");
  call.stream();
  return call;
}

afterEach(() => {
  vi.useRealTimers();
  log.length = 0;
});

describe("a resource", () => {
  test("is listed in pages, then watched from there on", async () => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    await using things = follow(api, told, { labelSelector: "mesh=true" });
    const first = await api.next();
    expect(Object.fromEntries(first.query)).toEqual({ limit: "500", labelSelector: "mesh=true" });
    first.json(200, list(7, [thing("a", 1, "x"), thing("b", 2)], "more"));
    const second = await api.next();
    expect(second.query.get("continue")).toBe("more");
    second.json(200, list(7, [thing("c", 3, "z")]));
    const watch = await nextWatch(api);
    expect(await told.until("synced")).toEqual(["n/a=x", "n/c=z", "synced"]);
    expect(watch.query.get("resourceVersion")).toBe("7");
    expect(watch.query.get("labelSelector")).toBe("mesh=true");
    watch.event("MODIFIED", thing("b", 8, "y"));
    watch.event("MODIFIED", thing("a", 9));
    watch.event("DELETED", thing("c", 10, "z"));
    watch.event("ADDED", thing("d", 11, "ü"));
    expect(await told.until("n/d=ü")).toEqual(["n/b=y", "-n/a", "-n/c", "n/d=ü"]);
    expect(things.state).toBe("following");
  });

  test("of names and labels alone is asked for as that", async () => {
    await using api = await ScriptedApi.start();
    await using _ = follow(api, new Told(), { metadataOnly: true });
    const call = await api.next();
    expect(call.headers.accept).toBe("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
    call.json(200, list(1, []));
    expect((await nextWatch(api)).headers.accept).toBe("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
  });

  test("that the server does not have is looked for again, told once, and found when it is there", async () => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    await using things = follow(api, told, { optional: true });
    for (let round = 0; round < 2; round++) {
      (await api.next()).text(404, "404 page not found");
      const discovery = await api.next();
      expect(discovery.path).toBe("/apis");
      discovery.json(200, { kind: "APIGroupList", groups: [{ name: "b.example", versions: [{ version: "v1" }] }] });
    }
    await answerList(api, list(1, [thing("a", 1, "x")]));
    expect(await told.until("synced")).toEqual(["absent", "n/a=x", "synced"]);
    expect(log.filter((line) => line.includes("does not have"))).toHaveLength(1);
    expect(things.state).toBe("following");
  });

  test("is not absent because a proxy says so", async () => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    await using _ = follow(api, told, { optional: true });
    (await api.next()).text(404, "default backend");
    (await api.next()).text(404, "default backend");
    await answerList(api, list(1, []));
    expect(await told.until("synced")).toEqual(["synced"]);
  });

  test("that goes away is believed gone after the third time", async () => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    await using _ = follow(api, told, { optional: true });
    (await answerList(api, list(1, [thing("a", 1, "x")]))).drop();
    await told.until("synced");
    // The watch, then lists.
    for (let round = 0; round < 3; round++) (await api.next()).text(404, "404 page not found");
    expect(told.events).toEqual([]);
    (await api.next()).json(200, { kind: "APIGroupList", groups: [] });
    expect(await told.until("absent")).toEqual(["-n/a", "absent"]);
  });
});

describe("a list", () => {
  test("whose pages expire begins anew, and comes whole after the second time", async () => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    await using _ = follow(api, told);
    for (const limit of ["500", "500"]) {
      const call = await api.next();
      expect(call.query.get("limit")).toBe(limit);
      call.json(200, list(1, [thing("a", 1, "x")], "more"));
      (await api.next()).json(410, expired);
    }
    const whole = await api.next();
    expect(Object.fromEntries(whole.query)).toEqual({});
    whole.json(200, list(3, [thing("b", 2, "y")]));
    await nextWatch(api);
    expect(await told.until("synced")).toEqual(["n/a=x", "n/b=y", "-n/a", "synced"]);
  });

  test.each([
    ["is refused", (call: Call) => call.json(403, { kind: "Status", reason: "Forbidden", message: "no" })],
    ["meets a busy server", (call: Call) => call.json(503, { kind: "Status" })],
    ["meets a busy server that says when", (call: Call) => call.json(429, {}, { "retry-after": "0" })],
    ["is cut short", (call: Call) => call.drop()],
    ["is no JSON", (call: Call) => call.text(200, "{")],
    ["is no list", (call: Call) => call.json(200, { kind: "Table" })],
    ["holds no objects", (call: Call) => call.json(200, { metadata: { resourceVersion: "1" }, items: 5 })],
  ])("that %s is tried again", async (_name, fail) => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    await using _ = follow(api, told);
    fail(await api.next());
    await answerList(api, list(1, [thing("a", 1, "x")]));
    expect(await told.until("synced")).toEqual(["n/a=x", "synced"]);
  });
});

describe("a watch", () => {
  test.each([
    ["is dropped", (call: Call) => call.drop()],
    ["ends in half a line", (call: Call) => call.write('{"type":"ADDED","object":{"meta', () => call.drop())],
    ["ends, after half a line", (call: Call) => call.write('{"type":"ADDED","obj', () => call.end())],
    ["brings nonsense", (call: Call) => call.write("}\n")],
    ["brings an event of unknown type", (call: Call) => call.event("STRANGE", thing("z", 9, "z"))],
    ["brings an event without a name", (call: Call) => call.event("ADDED", { metadata: {} })],
    ["brings an error", (call: Call) => call.event("ERROR", { kind: "Status", code: 500, message: "etcd: leader" })],
  ])("that %s goes on where it was", async (_name, fail) => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    await using _ = follow(api, told);
    const watch = await answerList(api, list(5, [thing("a", 1, "x")]));
    watch.event("ADDED", thing("b", 6, "y"));
    await told.until("n/b=y");
    fail(watch);
    const again = await nextWatch(api);
    expect(again.query.get("resourceVersion")).toBe("6");
    again.event("MODIFIED", thing("b", 7, "z"));
    expect(await told.until("n/b=z")).toEqual(["n/b=z"]);
  });

  test("goes on from a bookmark", async () => {
    await using api = await ScriptedApi.start();
    await using _ = follow(api, new Told());
    const watch = await answerList(api, list(5, []));
    watch.event("BOOKMARK", { kind: "Thing", metadata: { resourceVersion: "99" } });
    watch.end();
    expect((await nextWatch(api)).query.get("resourceVersion")).toBe("99");
  });

  test.each([
    ["as it is opened", async (api: ScriptedApi) => (await api.next()).json(410, expired)],
    ["in the middle", async (api: ScriptedApi) => (await nextWatch(api)).event("ERROR", expired)],
  ])(
    "whose version the server has forgotten, %s, is followed by a list, of which only the differences are told",
    async (_name, forget) => {
      await using api = await ScriptedApi.start();
      const told = new Told();
      await using _ = follow(api, told);
      const watch = await answerList(api, list(5, [thing("a", 1, "x"), thing("b", 2, "y"), thing("c", 3, "z")]));
      await told.until("synced");
      watch.drop();
      await forget(api);
      await answerList(api, list(20, [thing("a", 1, "x"), thing("b", 19, "new"), thing("d", 18, "d")]));
      expect(await told.until("synced")).toEqual(["n/b=new", "n/d=d", "-n/c", "synced"]);
    },
  );

  test("does not go back to an older version of an object", async () => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    await using _ = follow(api, told);
    const watch = await answerList(api, list(100, [thing("a", 90, "new")]));
    await told.until("synced");
    watch.event("MODIFIED", thing("a", 89, "old"));
    watch.event("DELETED", thing("a", 88, "older"));
    watch.event("MODIFIED", thing("a", 90, "same"));
    watch.event("ADDED", thing("b", 101, "b"));
    expect(await told.until("n/b=b")).toEqual(["n/b=b"]);
  });

  test("that is silent is cut and goes on; twice in a row, and all is listed", async () => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    await using things = follow(api, told);
    // Sockets have timers of their own, which are not of this clock: their news comes in turns of the event loop.
    const reached = async (state: string): Promise<void> => {
      while (things.state !== state) await new Promise((resolve) => setImmediate(resolve));
    };
    const watch = await answerList(api, list(5, []));
    watch.event("ADDED", thing("a", 6, "x"));
    await told.until("n/a=x");
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    watch.drop();
    for (const expected of ["6", "6"]) {
      await reached("retrying");
      await vi.advanceTimersByTimeAsync(5000);
      const call = await api.next();
      expect(call.query.get("resourceVersion")).toBe(expected);
      call.stream();
      await reached("following");
      await vi.advanceTimersByTimeAsync(90_000);
      await call.left();
    }
    await reached("retrying");
    await vi.advanceTimersByTimeAsync(5000);
    expect((await api.next()).query.get("watch")).toBe(null);
    expect(log).toEqual([]);
  });

  test("that brings bookmarks is not silent", async () => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await using _ = follow(api, told);
    const watch = await answerList(api, list(5, []));
    for (let round = 1; round <= 3; round++) {
      watch.event("ADDED", thing("b", 5 + round, `${round}`));
      await told.until(`n/b=${round}`);
      await vi.advanceTimersByTimeAsync(89_000);
    }
    expect(api.unanswered).toBe(0);
  });

  test("that a server away for a while cannot give is said to fail once, and said to be back", async () => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    await using things = follow(api, told);
    (await answerList(api, list(5, []))).drop();
    for (let round = 0; round < 4; round++) (await api.next()).drop();
    expect(things.state).toBe("retrying");
    const watch = await nextWatch(api);
    expect(watch.query.get("resourceVersion")).toBe("5");
    watch.event("ADDED", thing("a", 6, "x"));
    await told.until("n/a=x");
    expect(log).toEqual(["Cannot follow the API server, tries again", "Follows the API server again"]);
  });

  test("ends when it is asked to, whatever it waits for", async () => {
    await using api = await ScriptedApi.start();
    const told = new Told();
    const things = [follow(api, told)];
    (await answerList(api, list(1, []))).event("ADDED", thing("a", 2, "x"));
    await told.until("n/a=x");
    things.push(follow(api, told));
    await api.next();
    things.push(follow(api, told));
    (await api.next()).drop();
    await expect(Promise.all(things.map((one) => one[Symbol.asyncDispose]()))).resolves.toHaveLength(3);
  });
});
