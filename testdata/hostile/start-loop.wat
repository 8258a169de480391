;; stopped, in its start function: a loop there
(module (func $s (loop $l (br $l))) (start $s) (func (export "run")))
