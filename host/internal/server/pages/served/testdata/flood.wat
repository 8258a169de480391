;; Logs 12,500 lines of 4,000 bytes: 50 MB. A block that is logged is gone.
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  (import "extism:host/env" "log_info" (func $log (param i64)))
  (func (export "run") (result i32)
    (local $line i64) (local $at i64) (local $i i32)
    (loop $lines
      (local.set $at (local.tee $line (call $alloc (i64.const 4000))))
      (loop $fill
        (call $store (local.get $at) (i64.const 0x206c616963657073)) ;; "special "
        (br_if $fill (i64.lt_u (i64.sub (local.tee $at (i64.add (local.get $at) (i64.const 8))) (local.get $line)) (i64.const 4000))))
      (call $log (local.get $line))
      (br_if $lines (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 12500))))
    (i32.const 0)))
