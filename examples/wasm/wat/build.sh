#!/bin/sh
# Builds the plugin: ./build.sh [OUT.wasm]. Needs wat2wasm (apt install wabt).
set -eu
cd "$(dirname "$0")"
out=${1:-build/count.wasm}
mkdir -p "$(dirname "$out")"
wat2wasm -o "$out" count.wat
