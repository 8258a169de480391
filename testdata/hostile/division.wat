;; stopped: the slowest arithmetic, unrolled
(module (func (export "run") (local i64) (local.set 0 (i64.const -1))
  (loop $l
    (local.set 0 (i64.div_u (i64.div_u (i64.div_u (i64.const -1) (local.get 0)) (local.get 0)) (local.get 0)))
    (local.set 0 (i64.const -1))
    (br $l))))
