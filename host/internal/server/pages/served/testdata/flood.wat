;; Logs 12,500 lines of 4,000 bytes: 50 MB.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "log_info" (func $log (param i64)))
  (func (export "run") (result i32)
    (local $line i64) (local $i i32)
    (local.set $line (call $alloc (i64.const 4000)))
    (loop $fill
      (call $store (i64.add (local.get $line) (i64.extend_i32_u (local.get $i))) (i32.add (i32.const 97) (i32.rem_u (local.get $i) (i32.const 26))))
      (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4000))))
    (local.set $i (i32.const 0))
    (loop $lines
      (call $log (local.get $line))
      (br_if $lines (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 12500))))
    (i32.const 0)))
