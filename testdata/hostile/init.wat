;; stopped: copies out of a data segment in a loop
(module (memory 1) (data $d "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
  (func (export "run")
    (loop $l (memory.init $d (i32.const 0) (i32.const 0) (i32.const 64)) (br $l))))
