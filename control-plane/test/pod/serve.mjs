// Applications of a pod: serve.mjs NAME {PORT: KIND, …}. Says on standard output when all listen.
//   http     HTTP/1.1; answers with what it saw
//   h2c      the same over HTTP/2 in plain text
//   echo     returns what it gets
//   greeter  speaks first, then returns what it gets
//   tls      TLS of its own; returns what it gets
import { execFileSync } from "node:child_process";
import { createServer as httpServer } from "node:http";
import { createServer as http2Server } from "node:http2";
import { createServer as tcpServer } from "node:net";
import { createServer as tlsServer } from "node:tls";

const [name, text] = process.argv.slice(2);
let connections = 0;

function answer(request, response) {
  const { remoteAddress, localPort } = request.socket ?? request.stream.session.socket;
  const { url: path, headers, httpVersion } = request;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ name, path, headers, httpVersion, remoteAddress, localPort, connections }));
}

function quiet(socket) {
  socket.on("error", () => undefined);
  return socket;
}

function echo(socket) {
  connections += 1;
  quiet(socket).pipe(socket);
}

const make = {
  http: () => httpServer(answer),
  h2c: () => http2Server(answer),
  echo: () => tcpServer(echo),
  greeter: () =>
    tcpServer((socket) => {
      socket.write("welcome ");
      echo(socket);
    }),
  tls() {
    const options = [
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-keyout",
      "-",
      "-out",
      "-",
    ];
    const pem = execFileSync("openssl", ["req", "-x509", "-subj", `/CN=${name}`, ...options], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    return tlsServer({ key: pem, cert: pem }, echo);
  },
};

const entries = Object.entries(JSON.parse(text));
let left = entries.length;
for (const [port, kind] of entries)
  make[kind]().listen({ host: "0.0.0.0", port: Number(port) }, () => --left === 0 && console.log("listening"));
