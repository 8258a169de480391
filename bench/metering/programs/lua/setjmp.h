// WebAssembly has no setjmp: Lua includes it, and here does not use it.
