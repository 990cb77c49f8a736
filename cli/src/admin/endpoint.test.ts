import { describe, expect, it } from "vitest";
import { chooseEndpoint } from "./endpoint.ts";

const files = { cert: "c.pem", key: "k.pem", ca: "ca.pem" };

describe("chooseEndpoint", () => {
  it.each([
    ["the default", {}, {}, "/run/hedgerow/admin.sock"],
    ["the control plane's state", {}, { HEDGEROW_STATE: "/var/lib/hedgerow" }, "/var/lib/hedgerow/admin.sock"],
    ["the environment's socket", {}, { HEDGEROW_STATE: "/s", HEDGEROW_ADMIN_SOCKET: "/a.sock" }, "/a.sock"],
    ["the option", { socket: "/o.sock" }, { HEDGEROW_ADMIN_SOCKET: "/a.sock" }, "/o.sock"],
    ["the default when the environment is empty", {}, { HEDGEROW_ADMIN_SOCKET: "" }, "/run/hedgerow/admin.sock"],
  ])("takes %s", (_case, options, env, path) => {
    expect(chooseEndpoint(options, env)).toEqual({ kind: "socket", path });
  });

  it.each(["cp.example:15015", "10.0.0.1:1", "[2001:db8::1]:65535"])("takes the server %s", (server) => {
    const env = { HEDGEROW_ADMIN_SOCKET: "/a.sock" };
    expect(chooseEndpoint({ server, ...files }, env)).toEqual({ kind: "server", address: server, ...files });
  });

  it.each([
    ["a certificate without a server", { cert: "c.pem" }, /belong to --server/],
    ["a server without a key", { server: "a:1", cert: "c.pem", ca: "ca.pem" }, /needs --cert, --key and --ca/],
    ["a socket and a server", { server: "a:1", socket: "/a.sock", ...files }, /give one/],
    ["a server without a port", { server: "cp.example", ...files }, /no HOST:PORT/],
    ["a port out of range", { server: "cp.example:65536", ...files }, /no HOST:PORT/],
    ["a URL", { server: "https://cp.example:15015", ...files }, /no HOST:PORT/],
    ["a user", { server: "a@b:1", ...files }, /no HOST:PORT/],
    ["an IPv6 address without brackets", { server: "2001:db8::1:15015", ...files }, /no HOST:PORT/],
  ])("refuses %s", (_case, options, message) => {
    expect(() => chooseEndpoint(options, {})).toThrow(message);
  });
});
