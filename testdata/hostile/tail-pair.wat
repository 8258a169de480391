;; stopped: two functions that tail-call each other, with values
(module
  (func $a (param i32 i64) (result i32) (return_call $b (local.get 1) (local.get 0)))
  (func $b (param i64 i32) (result i32) (return_call $a (i32.add (local.get 1) (i32.const 1)) (local.get 0)))
  (func (export "run") (result i32) (call $a (i32.const 0) (i64.const 0))))
