;; The example plugin written by hand: it counts lines, words and bytes.
(module
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "extism:host/env" "error_set" (func $error_set (param i64)))

  (memory 1)
  (data (i32.const 0) "{\"lines\":")   ;; 9 bytes
  (data (i32.const 16) ",\"words\":")  ;; 9 bytes
  (data (i32.const 32) ",\"bytes\":")  ;; 9 bytes
  (data (i32.const 48) "}")
  (data (i32.const 64) "{\"class\":\"permanent\",\"code\":\"empty\",\"message\":\"there is no text to count\"}") ;; 74 bytes

  ;; The output is put together at 1024; $end is where the next byte goes.
  (global $end (mut i32) (i32.const 1024))

  (func $add (param $from i32) (param $length i32)
    (memory.copy (global.get $end) (local.get $from) (local.get $length))
    (global.set $end (i32.add (global.get $end) (local.get $length))))

  ;; Adds a number in decimals: the digits come out last first, so they are
  ;; written backwards below 1024 and then copied.
  (func $add_number (param $n i64)
    (local $at i32)
    (local.set $at (i32.const 1024))
    (loop $digits
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10)))))
      (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
      (br_if $digits (i64.ne (local.get $n) (i64.const 0))))
    (call $add (local.get $at) (i32.sub (i32.const 1024) (local.get $at))))

  ;; Copies memory to a block of the host's.
  (func $give (param $from i32) (param $length i32) (result i64)
    (local $block i64) (local $i i32)
    (local.set $block (call $alloc (i64.extend_i32_u (local.get $length))))
    (loop $bytes
      (call $store_u8
        (i64.add (local.get $block) (i64.extend_i32_u (local.get $i)))
        (i32.load8_u (i32.add (local.get $from) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $bytes (i32.lt_u (local.get $i) (local.get $length))))
    (local.get $block))

  (func (export "run") (result i32)
    (local $length i64) (local $i i64) (local $c i32)
    (local $lines i64) (local $words i64) (local $space i32) (local $in_word i32)
    (local.set $length (call $input_length))
    (if (i64.eqz (local.get $length))
      (then
        (call $error_set (call $give (i32.const 64) (i32.const 74)))
        (return (i32.const 1))))
    (loop $bytes
      (local.set $c (call $input_load_u8 (local.get $i)))
      (local.set $space
        (i32.or
          (i32.eq (local.get $c) (i32.const 32))
          (i32.and
            (i32.ge_u (local.get $c) (i32.const 9))
            (i32.le_u (local.get $c) (i32.const 13)))))
      (if (i32.eqz (i32.or (local.get $space) (local.get $in_word)))
        (then (local.set $words (i64.add (local.get $words) (i64.const 1)))))
      (local.set $in_word (i32.eqz (local.get $space)))
      (if (i32.eq (local.get $c) (i32.const 10))
        (then (local.set $lines (i64.add (local.get $lines) (i64.const 1)))))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br_if $bytes (i64.lt_u (local.get $i) (local.get $length))))
    ;; A last line without its newline counts as well.
    (if (i32.ne (local.get $c) (i32.const 10))
      (then (local.set $lines (i64.add (local.get $lines) (i64.const 1)))))

    (global.set $end (i32.const 1024))
    (call $add (i32.const 0) (i32.const 9))
    (call $add_number (local.get $lines))
    (call $add (i32.const 16) (i32.const 9))
    (call $add_number (local.get $words))
    (call $add (i32.const 32) (i32.const 9))
    (call $add_number (local.get $length))
    (call $add (i32.const 48) (i32.const 1))
    (call $output_set
      (call $give (i32.const 1024) (i32.sub (global.get $end) (i32.const 1024)))
      (i64.extend_i32_u (i32.sub (global.get $end) (i32.const 1024))))
    (i32.const 0)))
