;; A start function that writes its whole memory over and over, in instructions
;; that are one step each and long ones.
(module
  (import "extism:host/env" "alloc" (func (param i64) (result i64)))
  (memory 256)
  (func $start
    (loop $l
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 16777216))
      (memory.copy (i32.const 8388608) (i32.const 0) (i32.const 8388608))
      (br $l)))
  (func (export "run"))
  (start $start))
