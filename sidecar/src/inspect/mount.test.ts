import { expect, test } from "vitest";
import { volatileMount } from "./mount.ts";

const mountinfo = [
  "20 1 0:30 / / rw - overlay overlay rw",
  "21 20 0:31 / /run rw,nosuid - tmpfs tmpfs rw",
  "22 20 8:1 /var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/run /run/hedgerow rw - ext4 /dev/sda1 rw",
  "23 20 8:2 / /run/hedgerow/audit rw - ext4 /dev/sdb rw",
  "24 20 8:3 / /mnt/a\\040b rw shared:1 - xfs /dev/sdc rw",
  "",
].join("\n");

test.each([
  ["/run/hedgerow/audit", undefined],
  ["/run/hedgerow/audit/deeper", undefined],
  ["/run/hedgerow/auditor", "an emptyDir"],
  ["/run/user", "tmpfs"],
  ["/opt/audit", "overlay"],
  ["/mnt/a b/audit", undefined],
])("%s lies on %s", (path, kind) => {
  expect(volatileMount(mountinfo, path)).toBe(kind);
});

test("empty knows nothing", () => expect(volatileMount("", "/run")).toBeUndefined());
