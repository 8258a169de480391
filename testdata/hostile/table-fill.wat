;; stopped: fills of a table of a million elements in a loop
(module (table 1000000 externref) (func (export "run")
  (loop $l (table.fill 0 (i32.const 0) (ref.null extern) (i32.const 1000000)) (br $l))))
