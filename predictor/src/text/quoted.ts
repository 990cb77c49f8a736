const LONGEST_NAME = 64;

/** A name that a caller sent, as it may stand in an error: quoted, escaped and cut, whatever it holds. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name);
}
