;; A library: linked.wat imports it under the name "lib".
(module
  (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (global $ready (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $ready (i32.const 1)))
  ;; stars writes "*" over the block at offset.
  (func (export "stars") (param $at i64) (result i32)
    (local $n i64)
    (local.set $n (call $length (local.get $at)))
    (block $done
      (loop $next
        (br_if $done (i64.eqz (local.get $n)))
        (local.set $n (i64.sub (local.get $n) (i64.const 1)))
        (call $store_u8 (i64.add (local.get $at) (local.get $n)) (i32.const 42))
        (br $next)))
    (global.get $ready))
  (func (export "spin") (loop $l (br $l))))
