;; stopped: calls that pass and return many values
(module
  (func $w (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    (result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    local.get 15 local.get 14 local.get 13 local.get 12 local.get 11 local.get 10 local.get 9 local.get 8
    local.get 7 local.get 6 local.get 5 local.get 4 local.get 3 local.get 2 local.get 1 local.get 0)
  (func (export "run")
    (loop $l
      i64.const 0 i64.const 1 i64.const 2 i64.const 3 i64.const 4 i64.const 5 i64.const 6 i64.const 7
      i64.const 8 i64.const 9 i64.const 10 i64.const 11 i64.const 12 i64.const 13 i64.const 14 i64.const 15
      call $w call $w call $w call $w
      drop drop drop drop drop drop drop drop drop drop drop drop drop drop drop drop
      br $l)))
