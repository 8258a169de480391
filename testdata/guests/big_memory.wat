(module
  (import "extism:host/env" "alloc" (func (param i64) (result i64)))
  (memory 2000)
  (func (export "run")))
