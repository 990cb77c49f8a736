#!/usr/bin/env bash
# Builds an S3 server with object lock, over files: build.sh OUTPUT. A minute of processor time; go.sum has the checksum of every module.
set -euo pipefail
output=$(realpath -m -- "$1")
cd "$(dirname "$0")"
CGO_ENABLED=0 GOFLAGS=-buildvcs=false nice -n 5 go build -trimpath -ldflags "-s -w" -o "$output" \
  github.com/versity/versitygw/cmd/versitygw
