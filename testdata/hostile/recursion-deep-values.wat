;; trap "stack overflow": recursion with many values in every frame
(module (func $f (result i64) (local i64 i64 i64 i64 i64 i64 i64 i64)
  (local.set 0 (call $f)) (local.set 1 (call $f)) (local.set 2 (call $f)) (local.set 3 (call $f))
  (i64.add (i64.add (local.get 0) (local.get 1)) (i64.add (local.get 2) (local.get 3))))
  (func (export "run") (drop (call $f))))
