;; bad_module: draws random bytes into a memory that it does not have
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (func (export "run") (drop (call $random (i32.const 0) (i32.const 8)))))
