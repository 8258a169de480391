;; stopped: touches a page of a large memory at every step
(module (memory 256 256) (func (export "run") (local i32)
  (loop $l
    (i32.store (local.get 0) (i32.const 1))
    (local.set 0 (i32.and (i32.add (local.get 0) (i32.const 4096)) (i32.const 0xfffffc)))
    (br $l))))
