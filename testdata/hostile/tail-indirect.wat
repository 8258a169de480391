;; stopped: endless indirect tail calls
(module (type $t (func)) (table 1 funcref) (elem (i32.const 0) $f)
  (func $f (export "run") (return_call_indirect (type $t) (i32.const 0))))
