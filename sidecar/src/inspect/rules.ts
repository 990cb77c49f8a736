import type { AccessRule, CompiledAccess, TextMatch } from "@hedgerow/policy";
import type {
  AccessRules,
  AuditLedger,
  InspectedPort,
  InspectionConfig,
  TextMatch as SentMatch,
  AccessRule as SentRule,
  TextMatches,
} from "@hedgerow/proto/hedgerow/agent/v1/inspection";

/** What one inbound port's requests are judged by. */
export interface PortRules {
  readonly port: number;
  /** Of one request, as it comes and decompressed. */
  readonly maxRequestBytes: number;
  /** NAMESPACE/NAME of the AuditPolicy that they are recorded by. */
  readonly ledger: string;
  readonly access: readonly CompiledAccess[];
  /** The names of `access`, for a record of what none of them allowed. */
  readonly governing: string;
}

export interface Inspected {
  readonly ports: ReadonlyMap<number, PortRules>;
  readonly ledgers: ReadonlyMap<string, AuditLedger>;
  /** Attested; empty: none. */
  readonly region: string;
}

const LEAST_REQUEST_BYTES = 1024;
const MOST_REQUEST_BYTES = 256 * 1024 * 1024;

/** The rules of a configuration in the form that is decided by, or everything that is wrong with them. */
export function compileRules(
  config: InspectionConfig,
): { readonly ok: true; readonly value: Inspected } | { readonly ok: false; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const ledgers = new Map<string, AuditLedger>();
  for (const ledger of config.ledgers) {
    if (ledger.name === "") problems.push("a ledger has no name");
    else if (ledgers.has(ledger.name)) problems.push(`ledger ${ledger.name} is there twice`);
    ledgers.set(ledger.name, ledger);
  }
  const ports = new Map<number, PortRules>();
  for (const sent of config.ports) {
    if (ports.has(sent.port)) problems.push(`port ${sent.port} is there twice`);
    if (!ledgers.has(sent.ledger))
      problems.push(`port ${sent.port}: there is no ledger ${JSON.stringify(sent.ledger)}`);
    ports.set(sent.port, compilePort(sent, problems));
  }
  return problems.length === 0
    ? { ok: true, value: { ports, ledgers, region: config.region } }
    : { ok: false, problems };
}

function compilePort(sent: InspectedPort, problems: string[]): PortRules {
  const { port } = sent;
  if (port < 1 || port > 65_535) problems.push(`port ${port} is outside 1–65535`);
  const maxRequestBytes = Number(sent.maxRequestBytes);
  if (maxRequestBytes < LEAST_REQUEST_BYTES || maxRequestBytes > MOST_REQUEST_BYTES) {
    problems.push(
      `port ${port}: max_request_bytes ${maxRequestBytes} is outside ${LEAST_REQUEST_BYTES}–${MOST_REQUEST_BYTES}`,
    );
  }
  return {
    port,
    maxRequestBytes,
    ledger: sent.ledger,
    access: sent.access.map((rules) => compileAccess(rules, port, problems)),
    governing: sent.access.map(({ policy }) => policy).join(","),
  };
}

function compileAccess({ policy, generation, rules }: AccessRules, port: number, problems: string[]): CompiledAccess {
  const compile = (rule: SentRule): AccessRule => {
    const where = `port ${port}: policy ${policy}: rule ${rule.name}`;
    return {
      name: rule.name,
      principals: compileMatches(rule.principals, where, problems),
      paths: compileMatches(rule.paths, where, problems),
    };
  };
  return { policy, generation: generation === 0n ? undefined : Number(generation), rules: rules.map(compile) };
}

/** Absent stays undefined, which is everything; present without a match stays empty, which is nothing. */
function compileMatches(
  sent: TextMatches | undefined,
  where: string,
  problems: string[],
): readonly TextMatch[] | undefined {
  return sent?.matches.flatMap((match) => compileMatch(match, where, problems));
}

function compileMatch({ match }: SentMatch, where: string, problems: string[]): readonly TextMatch[] {
  switch (match.case) {
    case "exact":
    case "prefix":
      return [{ kind: match.case, value: match.value }];
    case "regex":
      try {
        new RegExp(match.value, "u");
      } catch (error) {
        problems.push(`${where}: ${error instanceof Error ? error.message : String(error)}`);
      }
      return [{ kind: "regex", value: match.value }];
    case undefined:
      // Of a newer control plane, perhaps: what can't be read must not be left out, since it might be what narrows the rule.
      problems.push(`${where}: a match is of a kind that this agent does not know`);
      return [];
  }
}
