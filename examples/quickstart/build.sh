#!/bin/sh
# Builds the quickstart's plugin from reader.c: ./build.sh [OUT.wasm]. Needs clang
# and lld (apt install clang lld). The module is committed, so that the first run
# needs nothing but Go.
set -eu
cd "$(dirname "$0")"
clang --target=wasm32 -std=c11 -Wall -Wextra -Werror -Oz -nostdlib -ffreestanding -mbulk-memory \
	-Wl,--no-entry -Wl,--strip-all -o "${1:-reader.wasm}" reader.c
chmod 644 "${1:-reader.wasm}"
