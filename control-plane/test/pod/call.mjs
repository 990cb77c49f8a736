// Calls from a pod: call.mjs http URL OPTIONS, call.mjs tcp HOST:PORT OPTIONS. Writes what came of it as JSON.
import { request } from "node:http";
import { connect as http2Connect } from "node:http2";
import { connect } from "node:net";
import { connect as tlsConnect } from "node:tls";

const [kind, target, text] = process.argv.slice(2);
const options = JSON.parse(text);
const TIMEOUT_MS = 8_000;

function http(url) {
  return new Promise((resolve) => {
    const outgoing = request(url, { agent: false, timeout: TIMEOUT_MS }, async (response) => {
      let body = "";
      for await (const part of response) body += part;
      resolve({ status: response.statusCode, headers: response.headers, body });
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("timeout")));
    outgoing.on("error", ({ message }) => resolve({ error: message }));
    outgoing.end();
  });
}

function http2(url) {
  return new Promise((resolve) => {
    const session = http2Connect(url);
    const fail = ({ message }) => resolve({ error: message });
    session.on("error", fail);
    const stream = session.request({ ":path": new URL(url).pathname });
    stream.on("error", fail);
    let answer = {};
    stream.on("response", (headers) => {
      answer = { status: headers[":status"], headers: { ...headers }, body: "" };
    });
    stream.on("data", (part) => {
      answer.body += part;
    });
    stream.on("end", () => {
      session.close();
      resolve(answer);
    });
  });
}

function tcp(address) {
  const [host, port] = address.split(":");
  const { send, length = Number.POSITIVE_INFINITY, serverName } = options;
  return new Promise((resolve) => {
    const socket =
      serverName === undefined
        ? connect({ host, port })
        : tlsConnect({ host, port, servername: serverName, rejectUnauthorized: false });
    let received = "";
    let closed = true;
    const stop = () => {
      closed = false;
      socket.destroy();
    };
    if (send !== undefined) socket.write(send);
    socket.setTimeout(TIMEOUT_MS, stop);
    socket.on("data", (part) => {
      received += part;
      if (received.length >= length) stop();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve({ received, closed }));
  });
}

const answers = [];
if (kind === "tcp") process.stdout.write(JSON.stringify(await tcp(target)));
else {
  for (let count = 0; count < (options.times ?? 1); count += 1)
    answers.push(await (options.http2 ? http2(target) : http(target)));
  process.stdout.write(JSON.stringify(answers));
}
