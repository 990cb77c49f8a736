#!/bin/sh
# Process 1 of the sidecar's container: starts the agent, and starts it again when it crashes. Envoy, which outlives its agent,
# would end with the container, and with it every request that it serves.
# Ends with the agent's own status when that ended as asked (0), for its settings (2), or after SIGTERM or SIGINT.
set -u

sidecar=${0%/*}
PATH=$sidecar/../node_modules/.bin:${PATH:-/usr/bin:/bin}
# A container's standard output outlives the agent, and kubelet bounds what it keeps of it.
HEDGEROW_ENVOY_LOG=${HEDGEROW_ENVOY_LOG:-stdout}
# A volume belongs to root; the agent wants a directory of its own.
if [ -d "${HEDGEROW_RUN:-}" ] && [ ! -O "$HEDGEROW_RUN" ]; then
  HEDGEROW_RUN=$HEDGEROW_RUN/agent
fi
# Beside it there is nothing to write to: here is kept what the agent's start would compile again (2 MB).
NODE_COMPILE_CACHE=${NODE_COMPILE_CACHE:-${HEDGEROW_RUN:-}/compiled}
export PATH HEDGEROW_ENVOY_LOG HEDGEROW_RUN="${HEDGEROW_RUN:-}" NODE_COMPILE_CACHE
umask 077

# Seconds. An agent that ran this long did not crash at starting.
healthy_after=30
longest_delay=10
delay=0
agent=
stopping=

stop() {
  stopping=yes
  [ -z "$agent" ] || kill -TERM "$agent" 2>/dev/null
}
trap stop TERM INT

while :; do
  started=$(date +%s)
  node "$sidecar/src/main.ts" &
  agent=$!
  # Asked to stop just before there was anyone to pass it on to.
  [ -z "$stopping" ] || kill -TERM "$agent"
  # A signal ends the wait, not the agent. Whatever else ends meanwhile, an Envoy that lost its agent say, is reaped by the shell.
  while wait "$agent"; status=$?; kill -0 "$agent" 2>/dev/null; do :; done
  agent=
  case $status in 0 | 2) exit "$status" ;; esac
  [ -z "$stopping" ] || exit "$status"

  [ $(($(date +%s) - started)) -lt "$healthy_after" ] || delay=0
  printf '{"level":"error","time":"%s","part":"entrypoint","status":%d,"restart_in_seconds":%d,"msg":"%s"}\n' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$status" "$delay" "Agent ended, starting it again"
  if [ "$delay" -gt 0 ]; then
    sleep "$delay" &
    wait $!
    [ -z "$stopping" ] || exit "$status"
  fi
  delay=$((delay == 0 ? 1 : delay * 2))
  [ "$delay" -le "$longest_delay" ] || delay=$longest_delay
done
