;; Stands for any WASI preview 1 program: it copies stdin to stdout.
;; Built with: wat2wasm jq.wat
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  ;; 0: the vector (address, length); 8: how many bytes were moved; 65536: the buffer.
  (func (export "_start")
    (local $left i32) (local $from i32)
    (block $end
      (loop $next
        (i32.store (i32.const 0) (i32.const 65536))
        (i32.store (i32.const 4) (i32.const 65536))
        (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
          (then (call $exit (i32.const 74))))
        (local.set $left (i32.load (i32.const 8)))
        (br_if $end (i32.eqz (local.get $left)))
        (local.set $from (i32.const 65536))
        (loop $more
          (i32.store (i32.const 0) (local.get $from))
          (i32.store (i32.const 4) (local.get $left))
          (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
            (then (call $exit (i32.const 74))))
          (local.set $from (i32.add (local.get $from) (i32.load (i32.const 8))))
          (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
          (br_if $more (local.get $left)))
        (br $next)))))
