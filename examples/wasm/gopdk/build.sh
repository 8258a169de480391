#!/bin/sh
# Builds the plugin: ./build.sh [OUT.wasm]
set -eu
cd "$(dirname "$0")"
out=${1:-build/count.wasm}
mkdir -p "$(dirname "$out")"
GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags='-s -w' -o "$out" .
