/**
 * Whether `a` is older than `b`: two versions of one object, or of one resource's list. They are whole numbers that grow
 * (Kubernetes API Concepts, "Resource versions"); of versions that are not, none is older.
 */
export function isOlder(a: string, b: string): boolean {
  if (!/^[0-9]{1,32}$/.test(a) || !/^[0-9]{1,32}$/.test(b)) return false;
  return BigInt(a) < BigInt(b);
}
