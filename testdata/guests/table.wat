(module
  (import "extism:host/env" "alloc" (func (param i64) (result i64)))
  (table $t 1 funcref)
  ;; grow takes all the table it can get, and traps when that was more than ten
  ;; million elements.
  (func (export "grow")
    (block $full
      (loop $more
        (br_if $full (i32.eq (table.grow $t (ref.null func) (i32.const 100000)) (i32.const -1)))
        (br $more)))
    (if (i32.gt_u (table.size $t) (i32.const 10000000)) (then unreachable))))
