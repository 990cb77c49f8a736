// Leads a pod's connections to its proxy, once, in an init container: root with NET_ADMIN, in the pod's network namespace.
// Ends with 0 when the rules are in force, 1 when they could not be put there, 2 when its setting is wrong.
import { networkInterfaces } from "node:os";
import { describeCapture, redirectRules, refuseRules } from "./rules.ts";
import { type Capture, parseCapture } from "./settings.ts";
import { applyRules } from "./tables.ts";

const setting = process.env["HEDGEROW_CAPTURE"];
const parsed =
  setting === undefined || setting === "" ? { ok: false as const, problems: ["is not set"] } : parseCapture(setting);
if (parsed.ok) {
  try {
    capture(parsed.value);
  } catch (error) {
    process.stderr.write(`capture failed\n${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
} else {
  for (const problem of parsed.problems) process.stderr.write(`HEDGEROW_CAPTURE: ${problem}\n`);
  process.exitCode = 2;
}

function capture(rules: Capture): void {
  const addresses = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  const ipv6 = addresses.filter(({ family }) => family === "IPv6").map(({ address }) => address);
  if (ipv6.length > 0 && ipv6.length === addresses.length) {
    throw new Error(`this pod has no IPv4 address, only ${ipv6.join(", ")}: IPv6 is not captured`);
  }
  // First what is refused: a pod that fails in between is one that nobody can reach around the mesh.
  const refusing = ipv6.length === 0 ? undefined : applyRules("ip6tables", refuseRules(rules));
  const redirecting = applyRules("iptables", redirectRules(rules));
  for (const line of describeCapture(rules)) process.stdout.write(`${line} (${redirecting})\n`);
  if (refusing !== undefined) {
    process.stdout.write(`inbound to ${ipv6.join(", ")}: the same ports are refused (${refusing})\n`);
  }
}
