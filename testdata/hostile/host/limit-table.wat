;; One table, grown to what the tables of a module may have together: fails
;; with 2 when that is refused, with 1 when one more element is not.
(module
  (table $a 10 funcref)
  (func (export "run") (result i32)
    (if (i32.eq (table.grow $a (ref.null func) (i32.const 1048566)) (i32.const -1)) (then (return (i32.const 2))))
    (i32.ne (table.grow $a (ref.null func) (i32.const 1)) (i32.const -1))))
