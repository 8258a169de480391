;; stopped: a loop closed by a branch table
(module (func (export "run") (local $i i32)
  (loop $l (block $x
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_table $l $l $l $l (local.get $i))))))
