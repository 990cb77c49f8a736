// Whom the access rules of a captured port let in where there is no HTTP.
import { type TextMatch, workloadIdPrefix } from "@hedgerow/policy";
import type { InboundPort } from "../model/model.ts";

export interface TcpCallers {
  /** Over mTLS; empty: nobody. */
  readonly mesh: readonly TextMatch[];
  /** Whether callers without an identity get in. */
  readonly plain: boolean;
}

/**
 * Who may open a connection that carries no HTTP. It has no paths: a rule that is limited to some allows none of it, for it
 * could carry anything.
 */
export function tcpCallers({ access }: InboundPort, trustDomain: string): TcpCallers {
  const mesh = new Map<string, TextMatch>();
  let plain = false;
  for (const { principals, paths } of access.flatMap(({ rules }) => rules)) {
    if (paths !== undefined) continue;
    plain ||= principals === undefined;
    const wholeMesh: readonly TextMatch[] = [{ kind: "prefix", value: workloadIdPrefix(trustDomain) }];
    for (const match of principals ?? wholeMesh) mesh.set(`${match.kind} ${match.value}`, match);
  }
  return { mesh: [...mesh.values()], plain };
}
