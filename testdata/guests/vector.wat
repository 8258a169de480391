;; A global that the runtime cannot write back.
(module
  (import "extism:host/env" "input_length" (func (result i64)))
  (global $v (mut v128) (v128.const i32x4 1 2 3 4))
  (func (export "run") (result i32)
    (global.set $v (i32x4.add (global.get $v) (v128.const i32x4 1 1 1 1)))
    (i32x4.extract_lane 3 (global.get $v)))
)
