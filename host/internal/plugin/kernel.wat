;; The memory that an Extism guest and the host share, one instance of it for
;; each guest, linked to it as extism:host/env: what a guest loads and stores
;; stays within WebAssembly. kernel.go knows the same layout:
;;
;;        8  top: the end of what is in use
;;       16  charged: the end of what may be used without asking
;;   24, 32  input: offset, length
;;   40, 48  output: offset, length
;;       56  error: offset
;;       64  heads of the lists of free blocks, by size
;;     4096  blocks: 16 bytes of head (mark, 0, length), then what a guest sees
;;
;; A guest writes to nothing below 4096 and nothing above top, where all is
;; zero. It can write over the heads of blocks, so nothing they say is taken
;; without looking whether it lies between the two. No loops: every function
;; ends.
;;
;;   wat2wasm kernel.wat -o kernel.wasm
(module
  (import "wasmhost:env" "reach" (func $reach (param i64 i64)))
  (import "wasmhost:env" "wipe" (func $wipe (param i64 i64)))
  (import "wasmhost:env" "outside" (func $outside (param i32 i64 i64)))
  (import "wasmhost:env" "config_get" (func $config_get (param i64) (result i64)))
  (import "wasmhost:env" "var_get" (func $var_get (param i64) (result i64)))
  (import "wasmhost:env" "var_set" (func $var_set (param i64 i64)))
  (import "wasmhost:env" "http_request" (func $http_request (param i64 i64) (result i64)))
  (import "wasmhost:env" "http_status_code" (func $http_status_code (result i32)))
  (import "wasmhost:env" "http_headers" (func $http_headers (result i64)))
  (import "wasmhost:env" "log_trace" (func $log_trace (param i64)))
  (import "wasmhost:env" "log_debug" (func $log_debug (param i64)))
  (import "wasmhost:env" "log_info" (func $log_info (param i64)))
  (import "wasmhost:env" "log_warn" (func $log_warn (param i64)))
  (import "wasmhost:env" "log_error" (func $log_error (param i64)))
  (import "wasmhost:env" "get_log_level" (func $get_log_level (result i32)))
  (import "wasmhost:env" "reset" (func $reset))
  (export "config_get" (func $config_get))
  (export "var_get" (func $var_get))
  (export "var_set" (func $var_set))
  (export "http_request" (func $http_request))
  (export "http_status_code" (func $http_status_code))
  (export "http_headers" (func $http_headers))
  (export "log_trace" (func $log_trace))
  (export "log_debug" (func $log_debug))
  (export "log_info" (func $log_info))
  (export "log_warn" (func $log_warn))
  (export "log_error" (func $log_error))
  (export "get_log_level" (func $get_log_level))
  (export "reset" (func $reset))
  (memory (export "memory") 1)

  ;; room is how much a block of n bytes takes: sizes go in steps of an eighth
  ;; of their power of two.
  (func $room (param $n i64) (result i64) (local $step i64)
    (local.set $step (i64.const 16))
    (if (i64.gt_u (local.get $n) (i64.const 127))
      (then (local.set $step (i64.shl (i64.const 1) (i64.sub (i64.const 60) (i64.clz (local.get $n)))))))
    (i64.and
      (i64.sub (i64.add (local.get $n) (local.get $step)) (i64.const 1))
      (i64.sub (i64.const 0) (local.get $step))))

  ;; head is where the list of free blocks of that room begins.
  (func $head (param $room i64) (result i32) (local $bits i64)
    (local.set $bits (i64.sub (i64.const 64) (i64.clz (local.get $room))))
    (i32.wrap_i64 (i64.add (i64.const 64) (i64.shl (i64.add
      (i64.shl (local.get $bits) (i64.const 3))
      (i64.and (i64.shr_u (local.get $room) (i64.sub (local.get $bits) (i64.const 4))) (i64.const 7)))
      (i64.const 3)))))

  (func (export "alloc") (param $n i64) (result i64) (local $room i64) (local $head i32) (local $at i64) (local $end i64)
    (if (i64.eqz (local.get $n)) (then (return (i64.const 0))))
    (if (i64.gt_u (local.get $n) (i64.const 0xffffffff))
      (then (call $reach (local.get $n) (i64.const -1)) unreachable))
    (local.set $room (call $room (local.get $n)))
    (local.set $head (call $head (local.get $room)))
    (local.set $at (i64.load (local.get $head)))
    (if (i64.eqz (local.get $at))
      (then
        (local.set $at (i64.add (i64.load (i32.const 8)) (i64.const 16)))
        (local.set $end (i64.add (local.get $at) (local.get $room)))
        (if (i64.gt_u (local.get $end) (i64.load (i32.const 16)))
          (then (call $reach (local.get $n) (local.get $end))))
        (i64.store (i32.const 8) (local.get $end)))
      (else
        (if (i32.or
              (i64.lt_u (local.get $at) (i64.const 4112))
              (i64.gt_u (i64.add (local.get $at) (local.get $room)) (i64.load (i32.const 8))))
          (then (call $outside (i32.const 0) (local.get $at) (local.get $room)) unreachable))
        (i64.store (local.get $head) (i64.load (i32.wrap_i64 (i64.sub (local.get $at) (i64.const 8)))))
        (if (i64.gt_u (local.get $room) (i64.const 65536))
          (then (call $wipe (local.get $at) (local.get $room)))
          (else (memory.fill (i32.wrap_i64 (local.get $at)) (i32.const 0) (i32.wrap_i64 (local.get $room)))))))
    (i64.store (i32.wrap_i64 (i64.sub (local.get $at) (i64.const 16)))
      (i64.extend_i32_u (i32.xor (i32.wrap_i64 (local.get $at)) (i32.const 0x6b636f6c))))
    (i64.store (i32.wrap_i64 (i64.sub (local.get $at) (i64.const 8))) (local.get $n))
    (local.get $at))

  ;; length is 0 where no block begins.
  (func $length (export "length") (param $at i64) (result i64)
    (if (i32.or
          (i64.lt_u (local.get $at) (i64.const 4112))
          (i64.gt_u (local.get $at) (i64.load (i32.const 8))))
      (then (return (i64.const 0))))
    (if (i64.ne
          (i64.load (i32.wrap_i64 (i64.sub (local.get $at) (i64.const 16))))
          (i64.extend_i32_u (i32.xor (i32.wrap_i64 (local.get $at)) (i32.const 0x6b636f6c))))
      (then (return (i64.const 0))))
    (i64.load (i32.wrap_i64 (i64.sub (local.get $at) (i64.const 8)))))
  (export "length_unsafe" (func $length))

  (func (export "free") (param $at i64) (local $room i64) (local $head i32)
    (local.set $room (call $length (local.get $at)))
    (if (i32.or (i64.eqz (local.get $room)) (i64.gt_u (local.get $room) (i64.const 0xffffffff))) (then (return)))
    (local.set $room (call $room (local.get $room)))
    (if (i64.gt_u (i64.add (local.get $at) (local.get $room)) (i64.load (i32.const 8))) (then (return)))
    (local.set $head (call $head (local.get $room)))
    (i64.store (i32.wrap_i64 (i64.sub (local.get $at) (i64.const 16))) (i64.const 0))
    (i64.store (i32.wrap_i64 (i64.sub (local.get $at) (i64.const 8))) (i64.load (local.get $head)))
    (i64.store (local.get $head) (local.get $at)))

  (func (export "load_u8") (param $at i64) (result i32)
    (if (i32.or (i64.lt_u (local.get $at) (i64.const 4096)) (i64.ge_u (local.get $at) (i64.load (i32.const 8))))
      (then (call $outside (i32.const 1) (local.get $at) (i64.const 1)) unreachable))
    (i32.load8_u (i32.wrap_i64 (local.get $at))))
  (func (export "load_u64") (param $at i64) (result i64)
    (if (i32.or (i64.lt_u (local.get $at) (i64.const 4096)) (i64.gt_u (local.get $at) (i64.sub (i64.load (i32.const 8)) (i64.const 8))))
      (then (call $outside (i32.const 2) (local.get $at) (i64.const 8)) unreachable))
    (i64.load (i32.wrap_i64 (local.get $at))))
  (func (export "store_u8") (param $at i64) (param $v i32)
    (if (i32.or (i64.lt_u (local.get $at) (i64.const 4096)) (i64.ge_u (local.get $at) (i64.load (i32.const 8))))
      (then (call $outside (i32.const 3) (local.get $at) (i64.const 1)) unreachable))
    (i32.store8 (i32.wrap_i64 (local.get $at)) (local.get $v)))
  (func (export "store_u64") (param $at i64) (param $v i64)
    (if (i32.or (i64.lt_u (local.get $at) (i64.const 4096)) (i64.gt_u (local.get $at) (i64.sub (i64.load (i32.const 8)) (i64.const 8))))
      (then (call $outside (i32.const 4) (local.get $at) (i64.const 8)) unreachable))
    (i64.store (i32.wrap_i64 (local.get $at)) (local.get $v)))

  (func (export "input_offset") (result i64) (i64.load (i32.const 24)))
  (func (export "input_length") (result i64) (i64.load (i32.const 32)))
  ;; The input may have been set by the guest, and its blocks reset since.
  (func (export "input_load_u8") (param $i i64) (result i32) (local $at i64)
    (if (i64.ge_u (local.get $i) (i64.load (i32.const 32)))
      (then (call $outside (i32.const 5) (local.get $i) (i64.const 1)) unreachable))
    (local.set $at (i64.add (i64.load (i32.const 24)) (local.get $i)))
    (if (i64.ge_u (local.get $at) (i64.load (i32.const 8)))
      (then (call $outside (i32.const 1) (local.get $at) (i64.const 1)) unreachable))
    (i32.load8_u (i32.wrap_i64 (local.get $at))))
  ;; What is read most is read by one base, the largest offset first, so that one
  ;; check of the compiler covers all three.
  (func (export "input_load_u64") (param $i i64) (result i64) (local $at i64) (local $n i64) (local $base i32)
    (local.set $n (i64.load offset=32 (local.get $base)))
    (if (i32.or
          (i64.lt_u (local.get $n) (i64.const 8))
          (i64.gt_u (local.get $i) (i64.sub (local.get $n) (i64.const 8))))
      (then (call $outside (i32.const 6) (local.get $i) (i64.const 8)) unreachable))
    (local.set $at (i64.add (i64.load offset=24 (local.get $base)) (local.get $i)))
    (if (i64.gt_u (local.get $at) (i64.sub (i64.load offset=8 (local.get $base)) (i64.const 8)))
      (then (call $outside (i32.const 2) (local.get $at) (i64.const 8)) unreachable))
    (i64.load (i32.wrap_i64 (local.get $at))))

  ;; within ends the call unless n bytes lie in what is in use.
  (func $within (param $what i32) (param $at i64) (param $n i64)
    (if (i64.eqz (local.get $n)) (then (return)))
    (if (i32.or
          (i64.lt_u (local.get $at) (i64.const 4096))
          (i32.or
            (i64.gt_u (local.get $n) (i64.load (i32.const 8)))
            (i64.gt_u (local.get $at) (i64.sub (i64.load (i32.const 8)) (local.get $n)))))
      (then (call $outside (local.get $what) (local.get $at) (local.get $n)) unreachable)))
  (func (export "input_set") (param $at i64) (param $n i64)
    (call $within (i32.const 7) (local.get $at) (local.get $n))
    (i64.store (i32.const 24) (local.get $at))
    (i64.store (i32.const 32) (local.get $n)))
  (func (export "output_set") (param $at i64) (param $n i64)
    (call $within (i32.const 8) (local.get $at) (local.get $n))
    (i64.store (i32.const 40) (local.get $at))
    (i64.store (i32.const 48) (local.get $n)))
  (func (export "output_offset") (result i64) (i64.load (i32.const 40)))
  (func (export "output_length") (result i64) (i64.load (i32.const 48)))
  (func (export "error_set") (param $at i64)
    (if (i32.and (i64.ne (local.get $at) (i64.const 0)) (i64.eqz (call $length (local.get $at))))
      (then (call $outside (i32.const 9) (local.get $at) (i64.const 0)) unreachable))
    (i64.store (i32.const 56) (local.get $at)))
  (func (export "error_get") (result i64) (i64.load (i32.const 56)))
  ;; Not memory.size: what earlier calls needed is nobody's business.
  (func (export "memory_bytes") (result i64) (i64.load (i32.const 16)))
)
