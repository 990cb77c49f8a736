/** The longest that a timer of node's waits, some 24 days; it would end a longer wait at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/**
 * Takes a deadline away that is too far for a timer: Connect would let such a call fail at once. What is malformed stays,
 * for Connect to refuse. Source: gRPC's PROTOCOL-HTTP2.md, "Timeout"; Connect's protocol, "Timeout".
 */
export function dropFarDeadline(header: Headers): void {
  const [, amount, unit] = /^(\d{1,8})([HMS])$/.exec(header.get("grpc-timeout") ?? "") ?? [];
  if (Number(amount) * (UNIT_MS[unit ?? ""] ?? 0) > LONGEST_TIMER_MS) header.delete("grpc-timeout");
  const connect = /^\d{1,10}$/.exec(header.get("connect-timeout-ms") ?? "")?.[0];
  if (Number(connect) > LONGEST_TIMER_MS) header.delete("connect-timeout-ms");
}
