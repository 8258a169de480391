;; The recovery handler of the example: it answers what it was given, and its
;; health check always says yes.
;; Built with: wat2wasm recover.wat
(module
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (memory (export "memory") 1)

  (func (export "run") (result i32)
    (local $n i64) (local $i i64) (local $to i64)
    (local.set $n (call $input_length))
    (local.set $to (call $alloc (local.get $n)))
    (block $done
      (loop $next
        (br_if $done (i64.ge_u (local.get $i) (local.get $n)))
        (call $store (i64.add (local.get $to) (local.get $i)) (call $input_load (local.get $i)))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $next)))
    (call $output (local.get $to) (local.get $n))
    (i32.const 0))

  (func (export "health") (result i32) (i32.const 0)))
