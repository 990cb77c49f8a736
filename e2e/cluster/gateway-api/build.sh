#!/usr/bin/env bash
# Writes the Gateway API's standard CRDs as one manifest, from the Go module that carries them: build.sh OUTPUT
set -euo pipefail
output=$(realpath -m -- "$1")
cd "$(dirname "$0")"
# go.sum has its checksum.
module=$(go mod download -json sigs.k8s.io/gateway-api | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
for file in "$module"/config/crd/standard/*.yaml; do
  [[ $file == */kustomization.yaml ]] && continue
  echo ---
  cat "$file"
done >"$output"
