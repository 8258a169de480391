;; stopped: nested loops, the inner one short
(module (func (export "run") (local $i i32)
  (loop $a
    (local.set $i (i32.const 3))
    (loop $b (br_if $b (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (br $a))))
