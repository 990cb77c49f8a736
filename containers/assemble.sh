#!/bin/sh
# Puts what one part needs to run, and nothing else, into a folder with the layout of the checkout, and lists it in
# sbom.cdx.json (CycloneDX) there: assemble.sh PART FOLDER
# Run in a checkout that is set up; it replaces node_modules by those of the part in production.
set -eu
part=$1 target=$2

npm ci --omit=dev --workspace="$part" --ignore-scripts --no-audit --no-fund

mkdir -p "$target"
cp -R node_modules "$target/node_modules"
# Our own packages that the part needs are links; npm made one for each.
for link in node_modules/@hedgerow/*; do
  cp -R "$(readlink -f "$link")" "$target/"
done

cd "$target"
rm -rf ./*/dist ./*/test ./*/training ./*/tsconfig.json ./*/tsconfig.tsbuildinfo
find . -path ./node_modules -prune -o -name '*.test.ts' -exec rm {} +
find . -path ./node_modules -prune -o -type d -name testing -exec rm -r {} +
find . -path ./node_modules -prune -o -name '*.proto' -exec rm {} +
find node_modules -name '*.map' -exec rm {} +
# onnxruntime carries its library for every system; this keeps the one it runs on.
system=$(node -p 'process.platform + "/" + process.arch')
for other in node_modules/onnxruntime-node/bin/napi-v*/*/*; do
  case $other in */"$system") ;; *) rm -rf "$other" ;; esac
done

# npm lists what is installed below a root, and wants all of it that package.json names.
for folder in */package.json; do
  [ "$folder" = node_modules/package.json ] || (cd "${folder%/*}" && npm pkg delete devDependencies)
done
workspaces=$(for folder in */package.json; do printf '"%s",' "${folder%/*}"; done)
version=$(node -p "require('./$part/package.json').version")
printf '{"name":"hedgerow-%s","version":"%s","private":true,"workspaces":[%s]}\n' "$part" "$version" "${workspaces%,}" >package.json
npm sbom --sbom-format cyclonedx >sbom.cdx.json
