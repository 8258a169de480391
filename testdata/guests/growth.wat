;; Memory that grows in a call, up to a maximum of its own, and is written where
;; it grew. Every function answers with the pages there are after it, plus 100 for
;; every word that was not zero where it grew.
(module
  (import "extism:host/env" "input_length" (func (result i64)))
  (memory (export "memory") 1 4)
  (func $grow (param $pages i32) (result i32) (local $at i32) (local $dirty i32)
    (local.set $at (i32.shl (memory.grow (local.get $pages)) (i32.const 16)))
    (loop $next
      (if (i32.lt_u (local.get $at) (i32.shl (memory.size) (i32.const 16)))
        (then
          (if (i32.load (local.get $at)) (then (local.set $dirty (i32.add (local.get $dirty) (i32.const 100)))))
          (i32.store (local.get $at) (i32.const 7))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br $next))))
    (i32.add (memory.size) (local.get $dirty)))
  (func (export "size") (result i32) (call $grow (i32.const 0)))
  (func (export "some") (result i32) (call $grow (i32.const 1)))
  (func (export "twice") (result i32)
    (drop (call $grow (i32.const 1)))
    (call $grow (i32.const 1)))
  (func (export "most") (result i32) (call $grow (i32.const 3)))
  ;; A memory access above what it began with traps, again.
  (func (export "beyond") (result i32) (i32.load (i32.const 65536)))
)
