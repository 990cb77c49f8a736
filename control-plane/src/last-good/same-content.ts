/** Whether two values as JSON has them are equal; the order of fields means nothing, an undefined field is none. */
export function sameContent(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((entry, index) => sameContent(entry, b[index]))
    );
  const fieldsOfA = definedFields(a);
  const fieldsOfB = definedFields(b);
  if (fieldsOfA.size !== fieldsOfB.size) return false;
  for (const [name, value] of fieldsOfA)
    if (!fieldsOfB.has(name) || !sameContent(value, fieldsOfB.get(name))) return false;
  return true;
}

function definedFields(value: object): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(value).filter(([, field]) => field !== undefined));
}
