;; stopped: an infinite loop
(module (func (export "run") (loop $l (br $l))))
