/** Which connections of a pod are led to its proxy. The proxy's own are never, nor are those within the pod, nor DNS. */
export interface Capture {
  /** IPv4 ranges whose connections are captured; `*`: all. */
  readonly outboundIpRanges: "*" | readonly string[];
  /** Before all other outbound ones, but for excludeOutboundPorts. */
  readonly excludeOutboundIpRanges: readonly string[];
  /** Captured whatever the range. */
  readonly outboundPorts: readonly number[];
  readonly excludeOutboundPorts: readonly number[];
  readonly inboundPorts: "*" | readonly number[];
  readonly excludeInboundPorts: readonly number[];
  /** Ranges of IPv6 that were given: they change nothing, since IPv6 is not captured. */
  readonly withoutEffect: readonly string[];
}

const MAX_ENTRIES = 1_024;
const PORT = "expected whole numbers in 1–65535";
const RANGE = "expected ranges such as 10.0.0.0/8";

/** Absent: as here. */
const defaults = {
  outboundIpRanges: ["*"],
  excludeOutboundIpRanges: [],
  outboundPorts: [],
  excludeOutboundPorts: [],
  inboundPorts: ["*"],
  excludeInboundPorts: [],
};
type Name = keyof typeof defaults;

/**
 * The setting HEDGEROW_CAPTURE, a JSON object with the fields of Capture, or every problem. What comes out is nothing but
 * ranges and numbers: it goes into a program that root runs.
 */
export function parseCapture(
  text: string,
): { readonly ok: true; readonly value: Capture } | { readonly ok: false; readonly problems: readonly string[] } {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return { ok: false, problems: ["expected JSON"] };
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return { ok: false, problems: ["expected an object"] };
  }
  // A name that is not ours may be one of ours misspelt: an exclusion, say, that somebody relies on.
  const problems = Object.keys(given)
    .filter((name) => !Object.hasOwn(defaults, name))
    .map((name) => `${JSON.stringify(name)}: no such field`);
  const fields: Readonly<Record<string, unknown>> = { ...defaults, ...given };

  const list = <Entry>(name: Name, expected: string, isEntry: (entry: unknown) => entry is Entry): readonly Entry[] => {
    const entries = fields[name];
    if (!isList(entries)) problems.push(`${name}: expected a list`);
    else if (entries.length > MAX_ENTRIES) problems.push(`${name}: expected at most ${MAX_ENTRIES} entries`);
    else if (entries.every(isEntry)) return entries;
    else {
      const odd = JSON.stringify(entries.find((entry) => !isEntry(entry)));
      problems.push(`${name}: ${expected}, found ${odd.slice(0, 60)}`);
    }
    return [];
  };
  const isAll = (name: Name) => JSON.stringify(fields[name]) === '["*"]';
  const ports = (name: Name) => list(name, PORT, isPort);
  const ranges = (name: Name) => list(name, RANGE, isRange);
  const outbound = isAll("outboundIpRanges") ? "*" : ranges("outboundIpRanges");
  const excluded = ranges("excludeOutboundIpRanges");
  const value: Capture = {
    outboundIpRanges: outbound === "*" ? outbound : outbound.filter(isIpv4Range),
    excludeOutboundIpRanges: excluded.filter(isIpv4Range),
    outboundPorts: ports("outboundPorts"),
    excludeOutboundPorts: ports("excludeOutboundPorts"),
    inboundPorts: isAll("inboundPorts") ? "*" : ports("inboundPorts"),
    excludeInboundPorts: ports("excludeInboundPorts"),
    withoutEffect: [...(outbound === "*" ? [] : outbound), ...excluded].filter((range) => !isIpv4Range(range)),
  };
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value };
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isPort(entry: unknown): entry is number {
  return typeof entry === "number" && Number.isInteger(entry) && entry >= 1 && entry <= 65_535;
}

function isRange(entry: unknown): entry is string {
  return typeof entry === "string" && (isIpv4Range(entry) || /^(?=.*:)[0-9a-fA-F:.]{2,45}(?:\/\d{1,3})?$/.test(entry));
}

/** An address, or a prefix of at most 32 bits; without leading zeros, which some read as octal. */
function isIpv4Range(entry: string): boolean {
  const [address = "", bits = "32", ...surplus] = entry.split("/");
  const octets = address.split(".");
  const isNumber = (text: string, most: number) => /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= most;
  return (
    surplus.length === 0 && isNumber(bits, 32) && octets.length === 4 && octets.every((each) => isNumber(each, 255))
  );
}
