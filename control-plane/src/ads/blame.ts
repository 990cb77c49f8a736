/**
 * Which of a response's resources a NACK names. Envoy 1.40 writes `Error adding/updating cluster(s) NAME: why, NAME: why`
 * (cds_api_impl.cc) and `Error adding/updating listener(s) NAME: why\nNAME: why\n` (lds_api.cc), and applies the rest of
 * the response all the same. Other types' NACKs, and resources that do not even decode, carry no name.
 */
export function namesIn(message: string, names: Iterable<string>): readonly string[] {
  const named = message.match(/^Error adding\/updating \S+ /u);
  if (named === null) return [];
  // One boundary for all: the start, ", " and a line's end are each written here as a line's end.
  const lines = `\n${message.slice(named[0].length).replaceAll(", ", "\n")}`;
  return [...names].filter((name) => lines.includes(`\n${name}: `));
}
