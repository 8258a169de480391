;; The main module of a manifest; "lib" is lib.wat.
(module
  (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "lib" "stars" (func $stars (param i64) (result i32)))
  (import "lib" "spin" (func $spin))
  (func (export "run") (result i32)
    (local $ready i32)
    (local.set $ready (call $stars (call $input_offset)))
    (call $output_set (call $input_offset) (call $input_length))
    (i32.eqz (local.get $ready)))
  (func (export "spin") (call $spin)))
