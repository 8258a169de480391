;; stopped: fills of 16 MiB in a loop
(module (memory 256 256) (func (export "run")
  (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x1000000)) (br $l))))
