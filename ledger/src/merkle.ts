import { type Digest, nodeOf } from "./hash.ts";

/** Root of no leaves (RFC 6962, section 2.1): SHA-256 of nothing. */
const EMPTY = Buffer.from("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "hex").toString("latin1");

/** A Merkle tree as RFC 6962 shapes it, to which leaves are appended; it keeps one digest a power of two, not the leaves. */
export class MerkleTree {
  #size = 0;
  /** Roots of the complete subtrees, largest first: one for each bit that is set in the size. */
  readonly #peaks: Digest[] = [];

  get size(): number {
    return this.#size;
  }

  append(leaf: Digest): void {
    let peak = leaf;
    // Each trailing one bit of the size is a subtree that is as large as what we hold.
    for (let size = this.#size; size % 2 === 1; size = (size - 1) / 2) peak = nodeOf(this.#peaks.pop() ?? EMPTY, peak);
    this.#peaks.push(peak);
    this.#size++;
  }

  root(): Digest {
    return (
      this.#peaks.reduceRight(
        (right: Digest | undefined, left) => (right === undefined ? left : nodeOf(left, right)),
        undefined,
      ) ?? EMPTY
    );
  }
}

/** The largest power of two below `size`, which is at least 2. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

function rootOf(leaves: readonly Digest[]): Digest {
  const tree = new MerkleTree();
  for (const leaf of leaves) tree.append(leaf);
  return tree.root();
}

/** The audit path of a leaf, from its sibling to below the root (RFC 6962, section 2.1.1). `index` must be that of a leaf. */
export function proveInclusion(leaves: readonly Digest[], index: number): readonly Digest[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) throw new RangeError(`no leaf ${index}`);
  if (leaves.length === 1) return [];
  const split = splitOf(leaves.length);
  return index < split
    ? [...proveInclusion(leaves.slice(0, split), index), rootOf(leaves.slice(split))]
    : [...proveInclusion(leaves.slice(split), index - split), rootOf(leaves.slice(0, split))];
}

/** The root to which an audit path leads, or undefined where the path has not the length that index and size ask for (RFC 9162, section 2.1.3.2). */
function rootOfPath(leaf: Digest, index: number, size: number, path: readonly Digest[]): Digest | undefined {
  if (!Number.isInteger(index) || index < 0 || index >= size) return undefined;
  if (size === 1) return path.length === 0 ? leaf : undefined;
  const sibling = path.at(-1);
  if (sibling === undefined) return undefined;
  const split = splitOf(size);
  const rest = path.slice(0, -1);
  const below =
    index < split ? rootOfPath(leaf, index, split, rest) : rootOfPath(leaf, index - split, size - split, rest);
  if (below === undefined) return undefined;
  return index < split ? nodeOf(below, sibling) : nodeOf(sibling, below);
}

export function verifyInclusion(
  leaf: Digest,
  index: number,
  size: number,
  path: readonly Digest[],
  root: Digest,
): boolean {
  return rootOfPath(leaf, index, size, path) === root;
}
