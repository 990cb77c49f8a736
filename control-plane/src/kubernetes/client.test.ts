import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { ScriptedApi } from "../../test/scripted-api.ts";
import { KubernetesClient } from "./client.ts";
import { CredentialStore } from "./credentials.ts";

describe("a request", () => {
  test("carries the token, the query and the body, and brings the answer", async () => {
    await using api = await ScriptedApi.start();
    const asked = api.client.request("POST", "/a/b", { query: { q: "1 2" }, body: { x: "ü" } });
    const call = await api.next();
    expect([call.method, call.path, call.query.get("q")]).toEqual(["POST", "/a/b", "1 2"]);
    expect(call.headers).toMatchObject({ authorization: "Bearer a-token", "content-length": "10" });
    call.json(201, { kind: "Thing" });
    expect(await asked).toEqual({ kind: "Thing" });
  });

  test("that is refused says why, in the server's words", async () => {
    await using api = await ScriptedApi.start();
    const asked = api.client.request("GET", "/a");
    (await api.next()).json(409, { kind: "Status", reason: "Conflict", message: "the object has been modified" });
    await expect(asked).rejects.toMatchObject({
      status: 409,
      reason: "Conflict",
      message: "the object has been modified",
    });
    const again = api.client.request("GET", "/a");
    (await api.next()).text(502, "<html>Bad gateway</html>");
    await expect(again).rejects.toMatchObject({ status: 502, message: "<html>Bad gateway</html>" });
  });

  test("to a busy server is asked again when the server says, and not past its time", async () => {
    await using api = await ScriptedApi.start();
    const asked = api.client.request("GET", "/a");
    (await api.next()).json(429, {}, { "retry-after": "0" });
    (await api.next()).json(200, { ok: true });
    expect(await asked).toEqual({ ok: true });
    const late = api.client.request("GET", "/a", { timeoutMs: 5000 });
    (await api.next()).json(429, { kind: "Status" }, { "retry-after": "30" });
    await expect(late).rejects.toMatchObject({ status: 429, retryAfterMs: 30_000 });
  });

  test("has its time, its size and its signal", async () => {
    await using api = await ScriptedApi.start();
    const late = api.client.request("GET", "/a", { timeoutMs: 50 });
    await expect(late).rejects.toMatchObject({ status: 0, reason: "Timeout" });
    const large = api.client.request("GET", "/a", { maxBytes: 5 });
    (await api.next()).drop();
    (await api.next()).text(200, "123456");
    await expect(large).rejects.toMatchObject({ status: 0, reason: "BadAnswer" });
    const stop = new AbortController();
    const stopped = api.client.request("GET", "/a", { signal: stop.signal });
    await api.next();
    stop.abort();
    await expect(stopped).rejects.toMatchObject({ status: 0, reason: "Aborted" });
    await expect(api.client.request("GET", "/a", { signal: stop.signal })).rejects.toMatchObject({ reason: "Aborted" });
  });

  test("whose answer is no JSON, or cut short, fails", async () => {
    await using api = await ScriptedApi.start();
    const garbled = api.client.request("GET", "/a");
    (await api.next()).text(200, "{");
    await expect(garbled).rejects.toMatchObject({ status: 0, reason: "BadAnswer" });
    const cut = api.client.request("GET", "/a");
    const call = await api.next();
    call.stream();
    call.write('{"a":');
    await new Promise(setImmediate);
    call.drop();
    await expect(cut).rejects.toMatchObject({ status: 0, reason: "ConnectionFailed" });
  });

  test("on a kept connection that was closed is sent once more", async () => {
    await using api = await ScriptedApi.start();
    const first = api.client.request("GET", "/a");
    (await api.next()).json(200, {});
    await first;
    const second = api.client.request("GET", "/a");
    (await api.next()).drop();
    (await api.next()).json(200, { again: true });
    expect(await second).toEqual({ again: true });
  });

  test("that might do something twice is sent once", async () => {
    await using api = await ScriptedApi.start();
    const first = api.client.request("POST", "/a");
    (await api.next()).json(200, {});
    await first;
    const second = api.client.request("POST", "/a");
    (await api.next()).drop();
    await expect(second).rejects.toMatchObject({ status: 0, reason: "ConnectionFailed" });
  });

  test("to a server whose certificate is of somebody else is not sent", async () => {
    await using api = await ScriptedApi.start();
    for (const change of [{ serverName: "elsewhere" }, { ca: undefined }]) {
      using client = new KubernetesClient({ ...api.access, ...change }, { logger: pino({ enabled: false }) });
      await expect(client.request("GET", "/a")).rejects.toMatchObject({ status: 0, reason: "ConnectionFailed" });
    }
    expect(api.unanswered).toBe(0);
  });

  test("server-side apply names us and takes over", async () => {
    await using api = await ScriptedApi.start();
    const asked = api.client.apply("/a", { x: 1 });
    const call = await api.next();
    expect([call.method, call.headers["content-type"], Object.fromEntries(call.query)]).toEqual([
      "PATCH",
      "application/apply-patch+yaml",
      { fieldManager: "hedgerow-control-plane", force: "true" },
    ]);
    call.json(200, {});
    await asked;
  });
});

describe("credentials in files", () => {
  test("are read again after a minute, and at once after a refusal", async () => {
    const directory = await mkdtemp(join(tmpdir(), "credentials-"));
    const path = join(directory, "token");
    await writeFile(path, "one\n");
    let nowMs = 0;
    const credentials = { kind: "token", token: { kind: "file", path } } as const;
    const store = new CredentialStore({ ca: undefined, credentials }, () => nowMs);
    expect(await store.read()).toEqual({ token: "one" });
    await writeFile(path, "two\n");
    nowMs = 59_999;
    expect(await store.read()).toEqual({ token: "one" });
    nowMs = 60_000;
    expect(await store.read()).toEqual({ token: "two" });
    await writeFile(path, "three\n");
    store.forget();
    expect(await store.read()).toEqual({ token: "three" });
    await rm(path);
    store.forget();
    await expect(store.read()).rejects.toThrow("ENOENT");
    await writeFile(path, "four\n");
    expect(await store.read()).toEqual({ token: "four" });
    await rm(directory, { recursive: true });
  });

  test("that the server refuses are read again for the next request", async () => {
    const directory = await mkdtemp(join(tmpdir(), "credentials-"));
    const path = join(directory, "token");
    await writeFile(path, "old");
    await using api = await ScriptedApi.start({ kind: "token", token: { kind: "file", path } });
    const refused = api.client.request("GET", "/a");
    await writeFile(path, "new");
    (await api.next()).json(401, { kind: "Status", reason: "Unauthorized" });
    await expect(refused).rejects.toMatchObject({ status: 401 });
    const accepted = api.client.request("GET", "/a");
    const call = await api.next();
    expect(call.headers.authorization).toBe("Bearer new");
    call.json(200, {});
    await accepted;
    await rm(directory, { recursive: true });
  });
});
