;; ok: describes itself for ever, which the host ends after two seconds; then it
;; is called like any other
(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (memory (export "memory") 1)
  (func (export "describe") (loop $l (drop (call $alloc (i64.const 0))) (br $l)))
  (func (export "run")))
