;; stopped: an infinite loop that carries values
(module (func (export "run") (result i32)
  i32.const 1 i64.const 2
  (loop $l (param i32 i64) (result i32)
    drop i32.const 1 i32.add i64.const 3 br $l)))
