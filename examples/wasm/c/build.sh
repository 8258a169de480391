#!/bin/sh
# Builds the plugin: ./build.sh [OUT.wasm]. Needs clang and lld (apt install clang lld).
set -eu
cd "$(dirname "$0")"
out=${1:-build/count.wasm}
mkdir -p "$(dirname "$out")"
clang --target=wasm32 -std=c11 -Wall -Wextra -Werror -O2 -nostdlib -ffreestanding -mbulk-memory \
	-Wl,--no-entry -Wl,--strip-all -o "$out" count.c
