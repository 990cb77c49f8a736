#!/usr/bin/env bash
# The first process of a test node, in mount, process, network, host-name and IPC namespaces of its own: makes the
# machine's folders the node's, then becomes `pause`, with whom all of it ends.
#   node.sh DIRECTORY HOSTNAME PAUSE     DIRECTORY holds kubelet/, pods/, cni/ and sysctl/; `started` is made in it
set -euo pipefail
directory=$1 pause=$3

hostname "$2"
# Below, mounts of pods are to be seen by their containers; whoever made the namespace has cut it off from the machine.
mount --make-rshared /

# Sockets, network namespaces and the lock of iptables: the machine may have its own.
mount -t tmpfs tmpfs /run
mkdir -p /run/containerd /run/netns /run/lock

mkdir -p /var/lib/kubelet /var/log/pods /var/log/containers /var/lib/cni /etc/cni/net.d
mount --bind "$directory/kubelet" /var/lib/kubelet
mount --make-rshared /var/lib/kubelet
mount --bind "$directory/pods" /var/log/pods
mount -t tmpfs tmpfs /var/log/containers
mount -t tmpfs tmpfs /var/lib/cni
mount --bind "$directory/cni" /etc/cni/net.d

# The kubelet insists on these, and they are the whole machine's: it is shown files that hold what it wants.
insist() {
  local path=/proc/sys/$1 shown=$directory/sysctl/${1//\//_}
  [[ -e $path ]] || return 0
  echo "$2" >"$shown"
  mount --bind "$shown" "$path"
}
insist vm/overcommit_memory 1
insist vm/panic_on_oom 0
insist kernel/panic 10
insist kernel/panic_on_oops 1
insist kernel/keys/root_maxkeys 1000000
insist kernel/keys/root_maxbytes 25000000

ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
# Absent where bridges are not filtered at all.
[[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ]] || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables

touch "$directory/started"
exec "$pause"
