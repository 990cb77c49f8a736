// Envoy 1.40 words the NACK of clusters as `Error adding/updating cluster(s) NAME: why, NAME: why` and that of listeners as
// `Error adding/updating listener(s) NAME: why\nNAME: why\n` (cds_api_impl.cc, lds_api.cc), having applied the rest. Other
// types name nothing. The relay finds out which resource it was and tells the control plane in that same form.
const PREFIX = /^Error adding\/updating \S+ /;
const DEFAULT_PREFIX = "Error adding/updating resource(s) ";

/** What Envoy's words say of each resource that they name, by name. Each value begins with `NAME: `. */
export function namedIn(words: string, names: ReadonlySet<string>): ReadonlyMap<string, string> {
  const prefix = PREFIX.exec(words)?.[0];
  const entries = new Map<string, string>();
  if (prefix === undefined) return entries;
  let current: string | undefined;
  for (const piece of words.slice(prefix.length).split(/, |\n/)) {
    const colon = piece.indexOf(": ");
    const name = colon < 0 ? "" : piece.slice(0, colon);
    if (names.has(name)) current = name;
    if (current === undefined) continue;
    const soFar = entries.get(current);
    if (piece !== "") entries.set(current, soFar === undefined ? piece : `${soFar}, ${piece}`);
  }
  return entries;
}

/** What Envoy's words say of the one resource that it was sent. */
export function entryOf(words: string, name: string): string {
  return namedIn(words, new Set([name])).get(name) ?? `${name}: ${words}`;
}

/** The NACK for the control plane, from what was said of each resource. */
export function composeError(entries: readonly string[]): string {
  return DEFAULT_PREFIX + entries.join("\n");
}
