import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { type PortTimeouts, type Request, type Response, SharedPort } from "./shared-port.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** Answers with the HTTP version that it was asked by. */
const sayVersion = (request: Request, response: Response) => {
  response.statusCode = 200;
  response.end(request.httpVersion);
};

async function withPort(
  onRequest: (request: Request, response: Response) => void,
  body: (port: SharedPort, number: number) => Promise<void>,
  timeouts?: PortTimeouts,
): Promise<void> {
  await using port = new SharedPort(onRequest, timeouts);
  const address = await port.listen({ host: "127.0.0.1", port: 0 });
  await body(port, Number(address.split(":")[1]));
}

async function text(socket: Socket, until: RegExp): Promise<string> {
  let received = "";
  for await (const chunk of socket) {
    received += (chunk as Buffer).toString("latin1");
    if (until.test(received)) break;
  }
  return received;
}

async function getHttp2(session: http2.ClientHttp2Session): Promise<string> {
  let body = "";
  for await (const chunk of session.request({ ":path": "/" })) body += String(chunk);
  return body;
}

describe("which protocol a connection speaks", () => {
  test("HTTP/1.1, two requests on one connection", async () => {
    await withPort(sayVersion, async (_, port) => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const sockets = new Set<Socket>();
      for (let round = 0; round < 2; round++) {
        const request = http.get({ port, agent });
        const [response] = (await once(request, "response")) as [http.IncomingMessage];
        sockets.add(response.socket);
        expect(String(await response.toArray())).toBe("1.1");
      }
      expect(sockets.size).toBe(1);
      agent.destroy();
    });
  });

  test("HTTP/2 with prior knowledge, many requests at once, with the large window", async () => {
    await withPort(sayVersion, async (_, port) => {
      const session = http2.connect(`http://127.0.0.1:${port}`);
      const answers = await Promise.all(Array.from({ length: 20 }, () => getHttp2(session)));
      expect(new Set(answers)).toEqual(new Set(["2.0"]));
      expect(session.remoteSettings.initialWindowSize).toBe(16 * 1024 * 1024);
      session.destroy();
    });
  });

  test("HTTP/2 whose preface comes byte by byte", async () => {
    await withPort(sayVersion, async (_, port) => {
      const socket = connect(port, "127.0.0.1");
      socket.setNoDelay(true);
      for (const byte of Buffer.concat([Buffer.from(PREFACE), EMPTY_SETTINGS]))
        await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve));
      // The server's first frame is SETTINGS (type 4) on stream 0.
      const [frame] = (await once(socket, "data")) as [Buffer];
      expect(frame[3]).toBe(4);
      socket.destroy();
    });
  });

  test.each(["PUT / HTTP/1.1\r\nhost: a\r\n\r\n", "P", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"])(
    "HTTP/1.1 that begins as the preface does: %j",
    async (start) => {
      await withPort(sayVersion, async (_, port) => {
        const socket = connect(port, "127.0.0.1");
        socket.write(start);
        if (start.length === 1) socket.write("OST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        expect(await text(socket, /1\.1$/)).toMatch(/^HTTP\/1\.1 200 /);
        socket.destroy();
      });
    },
  );

  test.each<[string, Buffer]>([
    ["garbage", Buffer.from(Uint8Array.from({ length: 200 }, (_, i) => (i * 37 + 128) % 256))],
    ["TLS", Buffer.from("16030100c8010000c40303", "hex")],
    ["a preface that goes wrong", Buffer.from("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")],
    ["a preface and then garbage", Buffer.concat([Buffer.from(PREFACE), Buffer.alloc(200, 0xff)])],
  ])("%s: that connection is closed, the next one is served", async (_, bytes) => {
    await withPort(sayVersion, async (__, port) => {
      const socket = connect(port, "127.0.0.1");
      socket.write(bytes);
      socket.resume();
      await once(socket, "close");
      expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe("1.1");
    });
  });

  test("a connection that says nothing and ends is closed", async () => {
    await withPort(sayVersion, async (_, port) => {
      const socket = connect(port, "127.0.0.1");
      socket.end();
      socket.resume();
      expect(await once(socket, "close")).toEqual([false]);
    });
  });
});

describe("who keeps the port waiting is closed", () => {
  const patient = 60_000;
  test.each<[string, Partial<PortTimeouts>, string, RegExp]>([
    ["no first byte", { headersMs: 100 }, "", /^$/],
    ["half a preface", { headersMs: 100 }, "PRI * HT", /^$/],
    ["HTTP/1.1 headers without an end", { headersMs: 100 }, "POST / HTTP/1.1\r\nhost: a\r\n", /^HTTP\/1\.1 408 /],
    [
      "an HTTP/1.1 body without an end",
      { headersMs: 100, requestMs: 200 },
      "POST /silent HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab",
      /^HTTP\/1\.1 408 /,
    ],
    ["HTTP/2 without a request", { idleMs: 100 }, `${PREFACE}${EMPTY_SETTINGS.toString("latin1")}`, /./],
  ])("%s", async (_, timeouts, bytes, answer) => {
    const onRequest = (request: Request, response: Response) => {
      if (request.url !== "/silent") sayVersion(request, response);
    };
    await withPort(
      onRequest,
      async (__, port) => {
        const socket = connect(port, "127.0.0.1");
        socket.write(Buffer.from(bytes, "latin1"));
        expect(await text(socket, /never/)).toMatch(answer);
      },
      { headersMs: patient, requestMs: patient, idleMs: patient, ...timeouts },
    );
  });
});

test("an HTTP/2 client that is gone without a goodbye holds nothing: the port drains", async () => {
  await withPort(sayVersion, async (port, number) => {
    const socket = connect(number, "127.0.0.1");
    socket.write(Buffer.concat([Buffer.from(PREFACE), EMPTY_SETTINGS]));
    await once(socket, "data");
    socket.end();
    socket.resume();
    await once(socket, "close");
    expect(await port.drain()).toBeUndefined();
  });
});

test("the kernel asks after a silent peer whose machine may be gone", async () => {
  await withPort(sayVersion, async (_, port) => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe("1.1");
    const hex = (number: number | undefined) => (number ?? 0).toString(16).toUpperCase().padStart(4, "0");
    const row = new RegExp(`:${hex(port)} \\S+:${hex(socket.localPort)} 01 \\S+ (\\d\\d):`);
    // A timer of kind 2 on an established connection with nothing to send (proc(5), tcp_diag(7)).
    expect(row.exec(readFileSync("/proc/net/tcp", "utf8"))?.[1]).toBe("02");
    socket.destroy();
  });
});

describe("drain", () => {
  test("HTTP/1.1: idle connections close, the request in flight is answered with connection: close", async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<Response>();
    await withPort(
      (request, response) => (request.url === "/slow" ? ask(response) : sayVersion(request, response)),
      async (port, number) => {
        const agent = new http.Agent({ keepAlive: true });
        const idle = http.get({ port: number, agent });
        const [first] = (await once(idle, "response")) as [http.IncomingMessage];
        const idleClosed = once(first.socket, "close");
        await first.toArray();
        const silent = connect(number, "127.0.0.1");
        await once(silent, "connect");
        const slow = http.get({ port: number, path: "/slow" });
        const response = await asked;
        const drained = port.drain();
        await idleClosed;
        response.end("done");
        const [answer] = (await once(slow, "response")) as [http.IncomingMessage];
        expect(answer.headers.connection).toBe("close");
        expect(String(await answer.toArray())).toBe("done");
        await drained;
        await expect(fetch(`http://127.0.0.1:${number}`)).rejects.toThrow("fetch failed");
        agent.destroy();
        silent.destroy();
      },
    );
  });

  test("HTTP/2: clients hear GOAWAY, the request in flight is answered", async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<Response>();
    await withPort(
      (_, response) => ask(response),
      async (port, number) => {
        const session = http2.connect(`http://127.0.0.1:${number}`);
        const answer = getHttp2(session);
        const response = await asked;
        const goaway = once(session, "goaway");
        const drained = port.drain();
        const [code] = (await goaway) as [number];
        expect(code).toBe(http2.constants.NGHTTP2_NO_ERROR);
        response.end("done");
        expect(await answer).toBe("done");
        await drained;
      },
    );
  });

  test("HTTP/1.1: a request on an idle connection that crosses the news is answered, and the connection closed", async () => {
    await withPort(sayVersion, async (port, number) => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const get = async () => {
        const [response] = (await once(http.get({ port: number, agent }), "response")) as [http.IncomingMessage];
        await response.toArray();
        return response.headers.connection;
      };
      expect(await get()).toBe("keep-alive");
      const drained = port.drain();
      expect(await get()).toBe("close");
      await drained;
      agent.destroy();
    });
  });

  test("who does not wait ends everything", async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<Response>();
    await withPort(
      (_, response) => ask(response),
      async (port, number) => {
        const slow = fetch(`http://127.0.0.1:${number}`).then(() => "answered", String);
        await asked;
        await port[Symbol.asyncDispose]();
        expect(await slow).toBe("TypeError: fetch failed");
      },
    );
  });
});
