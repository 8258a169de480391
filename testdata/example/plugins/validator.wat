;; The validator of the example: given a JSON object it answers the same object
;; with "valid": true in front; anything else is a permanent error.
;; Built with: wat2wasm validator.wat
(module
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/env" "error_set" (func $error (param i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "{\22valid\22:true")
  (data (i32.const 64) "{\22class\22:\22permanent\22,\22code\22:\22not_an_object\22,\22message\22:\22the input is no JSON object\22}")

  ;; copy puts $n bytes of the module's memory at $from into the host's at $to.
  (func $copy (param $from i32) (param $n i32) (param $to i64)
    (local $i i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (call $store
          (i64.add (local.get $to) (i64.extend_i32_u (local.get $i)))
          (i32.load8_u (i32.add (local.get $from) (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next))))

  (func (export "run") (result i32)
    (local $n i64) (local $i i64) (local $to i64) (local $at i64)
    (local.set $n (call $input_length))
    (if (i32.or
          (i64.lt_u (local.get $n) (i64.const 2))
          (i32.ne (call $input_load (i64.const 0)) (i32.const 123)))
      (then
        (local.set $to (call $alloc (i64.const 84)))
        (call $copy (i32.const 64) (i32.const 84) (local.get $to))
        (call $error (local.get $to))
        (return (i32.const 1))))
    (local.set $to (call $alloc (i64.add (local.get $n) (i64.const 14))))
    (call $copy (i32.const 0) (i32.const 13) (local.get $to))
    (local.set $at (i64.add (local.get $to) (i64.const 13)))
    (local.set $i (i64.const 1))
    ;; An empty object needs no comma.
    (if (i32.ne (call $input_load (i64.const 1)) (i32.const 125))
      (then
        (call $store (local.get $at) (i32.const 44))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))))
    (block $done
      (loop $next
        (br_if $done (i64.ge_u (local.get $i) (local.get $n)))
        (call $store (local.get $at) (call $input_load (local.get $i)))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $next)))
    (call $output (local.get $to) (i64.sub (local.get $at) (local.get $to)))
    (i32.const 0)))
