/** File systems that do not outlive the machine, or the container. */
const VOLATILE = ["tmpfs", "ramfs", "overlay"];
/** kubelet's directory of volumes that end with their pod, as it stands in a mount's root. */
const EMPTY_DIR = "/kubernetes.io~empty-dir/";

/**
 * Why what is written below an absolute path is lost with the container or the machine; undefined where it is not. `mountinfo`
 * is the text of /proc/self/mountinfo (proc_pid_mountinfo(5)).
 */
export function volatileMount(mountinfo: string, path: string): string | undefined {
  let best = { point: "", root: "", type: "" };
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", escaped] = before.split(" ");
    if (escaped === undefined) continue;
    const point = unescapePoint(escaped);
    const below = point === "/" || path === point || path.startsWith(`${point}/`);
    // Of two on one point, the later one covers the other.
    if (below && point.length >= best.point.length) best = { point, root, type: after.split(" ")[0] ?? "" };
  }
  if (best.root.includes(EMPTY_DIR)) return "an emptyDir";
  return VOLATILE.includes(best.type) ? best.type : undefined;
}

/** Blanks and backslashes stand there in octal. */
function unescapePoint(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
