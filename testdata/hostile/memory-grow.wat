;; stopped: a memory grown page by page as far as it goes, then again and again
(module (memory 1) (func (export "run")
  (loop $l (drop (memory.grow (i32.const 1))) (br $l))))
