/** How many nodes can stand side by side on a machine. */
export const nodes = 64;

/** What a node is known by on this machine: by its number, so that no two meet. */
export interface Addresses {
  readonly index: number;
  /** This machine's end of the wire to the node: pods and the API server reach what listens here. */
  readonly host: string;
  readonly node: string;
  /** Of pods, as CIDR; this machine reaches them. */
  readonly pods: string;
  readonly interface: string;
  /** The node's cgroup, relative to each hierarchy's root. */
  readonly cgroup: string;
}

export function addressesOf(index: number): Addresses {
  return {
    index,
    host: `10.231.${index}.1`,
    node: `10.231.${index}.2`,
    pods: `10.244.${index}.0/24`,
    interface: `hedgerow${index}`,
    cgroup: `hedgerow-${index}`,
  };
}
