/**
 * Text from elsewhere (Envoy, an agent, a file) as one harmless line: white space becomes single spaces, and what could
 * drive a terminal or reorder its text (control characters, bidirectional overrides) becomes U+FFFD.
 */
export function printable(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}
