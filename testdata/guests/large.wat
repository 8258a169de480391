;; Two megabytes of memory, written at both ends by the initialiser (which also
;; grows it) and by every call.
(module
  (import "extism:host/env" "input_length" (func (result i64)))
  (memory (export "memory") 31)
  (func (export "_initialize")
    (drop (memory.grow (i32.const 1)))
    (i32.store (i32.const 4) (i32.const 3))
    (i32.store (i32.const 2097148) (i32.const 4)))
  (func $bump (param $at i32)
    (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1))))
  (func (export "run") (result i32)
    (call $bump (i32.const 4))
    (call $bump (i32.const 1000000))
    (call $bump (i32.const 2097148))
    (i32.sub (i32.add (i32.load (i32.const 4))
      (i32.add (i32.load (i32.const 1000000)) (i32.load (i32.const 2097148)))) (i32.const 1)))
  ;; The pages there are now, if what grew is zero.
  (func (export "grow") (result i32)
    (i32.store (i32.const 2097148) (memory.grow (i32.const 1)))
    (call $bump (i32.const 2097152))
    (i32.add (i32.load (i32.const 2097148)) (i32.load (i32.const 2097152))))
)
