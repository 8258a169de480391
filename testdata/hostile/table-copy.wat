;; stopped: copies of a table of a million elements in a loop
(module (table 1000000 externref) (func (export "run")
  (loop $l (table.copy (i32.const 0) (i32.const 1) (i32.const 999999)) (br $l))))
