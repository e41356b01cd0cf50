//! The two guests: the same work, once behind each system's way of passing messages.
//!
//! The work is shared text: `$echo` copies a message, `$vowels` reads `{"text":"…"}` and writes
//! `{"count":N}`. Around it, the Extism guest moves its input and output through the host's kernel eight
//! bytes at a time, as Extism's own guest libraries do; the other one follows the memory ABI.

/// Where the input stands in both guests.
const INPUT: u32 = 64 << 10;

/// Where the output stands in both guests.
const OUTPUT: u32 = 3 << 20;

fn work() -> String {
    r#"
  (memory (export "memory") 96)
  (data (i32.const 16) "{\"count\":")
  (func $echo (param $len i32) (result i32)
    (memory.copy (i32.const OUTPUT) (i32.const INPUT) (local.get $len))
    (local.get $len))
  (func $is_vowel (param $byte i32) (result i32)
    ;; a bit for each of a, e, i, o, u, counted from the letter a
    (local $letter i32)
    (local.set $letter (i32.sub (i32.or (local.get $byte) (i32.const 32)) (i32.const 97)))
    (if (result i32) (i32.lt_u (local.get $letter) (i32.const 26))
      (then (i32.and (i32.shr_u (i32.const 0x104111) (local.get $letter)) (i32.const 1)))
      (else (i32.const 0))))
  (func $vowels (param $len i32) (result i32)
    (local $at i32) (local $end i32) (local $byte i32) (local $quotes i32) (local $count i32)
    (local $digits i32) (local $rest i32)
    (local.set $at (i32.const INPUT))
    (local.set $end (i32.add (i32.const INPUT) (local.get $len)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        ;; an escaped character is skipped, whatever it is
        (if (i32.eq (local.get $byte) (i32.const 92))
          (then (local.set $at (i32.add (local.get $at) (i32.const 1))) (br $next)))
        (if (i32.eq (local.get $byte) (i32.const 34))
          (then
            (local.set $quotes (i32.add (local.get $quotes) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $quotes) (i32.const 4)))
            (br $done)))
        ;; the text stands between the third and the fourth quote
        (if (i32.eq (local.get $quotes) (i32.const 3))
          (then (local.set $count (i32.add (local.get $count) (call $is_vowel (local.get $byte))))))
        (br $next)))
    (memory.copy (i32.const OUTPUT) (i32.const 16) (i32.const 9))
    (local.set $digits (i32.const 1))
    (local.set $rest (i32.div_u (local.get $count) (i32.const 10)))
    (block $counted
      (loop $more
        (br_if $counted (i32.eqz (local.get $rest)))
        (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
        (local.set $rest (i32.div_u (local.get $rest) (i32.const 10)))
        (br $more)))
    (local.set $at (i32.add (i32.const OUTPUT) (i32.add (i32.const 9) (local.get $digits))))
    (i32.store8 (local.get $at) (i32.const 125))
    (loop $write
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $count) (i32.const 10))))
      (local.set $count (i32.div_u (local.get $count) (i32.const 10)))
      (br_if $write (local.get $count)))
    (i32.add (i32.const 10) (local.get $digits)))
"#
    .replace("OUTPUT", &OUTPUT.to_string())
    .replace("INPUT", &INPUT.to_string())
}

/// The guest for wasm-sandbox.
pub fn messages() -> String {
    let answer = |name: &str| {
        format!(
            r#"(func (export "{name}") (param i32 i32) (result i64)
      (i64.or (i64.const {}) (i64.extend_i32_u (call ${name} (local.get 1)))))"#,
            u64::from(OUTPUT) << 32
        )
    };
    format!(
        r#"(module {}
  (func (export "__alloc") (param i32 i32) (result i32) (i32.const {INPUT}))
  (func (export "__free") (param i32 i32) (result i32) (i32.const 0))
  {} {}
  (@custom "wasm-memory.messages" "echo=raw\nvowels=json\n"))"#,
        work(),
        answer("echo"),
        answer("vowels")
    )
}

/// The guest for Extism.
pub fn extism() -> String {
    let run = |name: &str| {
        format!(
            r#"(func (export "{name}") (result i32)
      (call $give (call ${name} (call $take))) (i32.const 0))"#
        )
    };
    let wrapper = r#"
  (func $take (result i32) (local $len i64) (local $at i64)
    (local.set $len (call $input_length))
    (block $words
      (loop $next
        (br_if $words (i64.gt_u (i64.add (local.get $at) (i64.const 8)) (local.get $len)))
        (i64.store (i32.add (i32.const INPUT) (i32.wrap_i64 (local.get $at)))
          (call $input_load_u64 (local.get $at)))
        (local.set $at (i64.add (local.get $at) (i64.const 8)))
        (br $next)))
    (block $bytes
      (loop $next
        (br_if $bytes (i64.ge_u (local.get $at) (local.get $len)))
        (i32.store8 (i32.add (i32.const INPUT) (i32.wrap_i64 (local.get $at)))
          (call $input_load_u8 (local.get $at)))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $next)))
    (i32.wrap_i64 (local.get $len)))
  (func $give (param $short i32) (local $len i64) (local $at i64) (local $to i64)
    (local.set $len (i64.extend_i32_u (local.get $short)))
    (local.set $to (call $alloc (local.get $len)))
    (block $words
      (loop $next
        (br_if $words (i64.gt_u (i64.add (local.get $at) (i64.const 8)) (local.get $len)))
        (call $store_u64 (i64.add (local.get $to) (local.get $at))
          (i64.load (i32.add (i32.const OUTPUT) (i32.wrap_i64 (local.get $at)))))
        (local.set $at (i64.add (local.get $at) (i64.const 8)))
        (br $next)))
    (block $bytes
      (loop $next
        (br_if $bytes (i64.ge_u (local.get $at) (local.get $len)))
        (call $store_u8 (i64.add (local.get $to) (local.get $at))
          (i32.load8_u (i32.add (i32.const OUTPUT) (i32.wrap_i64 (local.get $at)))))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $next)))
    (call $output_set (local.get $to) (local.get $len)))"#
        .replace("OUTPUT", &OUTPUT.to_string())
        .replace("INPUT", &INPUT.to_string());
    format!(
        r#"(module
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "input_load_u64" (func $input_load_u64 (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  {}{wrapper} {} {})"#,
        work(),
        run("echo"),
        run("vowels")
    )
}
