#!/usr/bin/env bash
# Builds pause, without a library to depend on: build.sh OUTPUT
set -euo pipefail
output=$(realpath -m -- "$1")
cd "$(dirname "$0")"
CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -ldflags "-s -w" -o "$output" .
