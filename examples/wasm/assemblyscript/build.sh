#!/bin/sh
# Builds the plugin: ./build.sh [OUT.wasm]. Needs Node.js and npm.
set -eu
cd "$(dirname "$0")"
out=${1:-build/count.wasm}
mkdir -p "$(dirname "$out")"
[ -d node_modules ] || npm ci --silent --no-audit --no-fund
# Without --use, a module would import env.abort, which a host does not have.
npx --no-install asc assembly/index.ts -o "$out" -O3 --use abort=assembly/plugin/stopped
