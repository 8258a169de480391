;; stopped: a table grown as far as it goes, then again and again
(module (table 0 externref) (func (export "run")
  (loop $l (drop (table.grow 0 (ref.null extern) (i32.const 100000))) (br $l))))
