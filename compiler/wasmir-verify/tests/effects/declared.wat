;; Declarations from the section `wasmrust.effects`: by marker, by path, for a trait's methods, for an import; a generic
;; function with two instances; a panic that does not count; a name that nobody declares; an implementation that allows itself
;; what its trait does not.
(module
  (import "acme:pay/charge" "charge" (func $charge))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory 1)
  (func $"shop::__wasm_effect_0123456789abcdef")
  (func $"shop::__wasm_effect_00000000000000ff")
  (func $"<shop::Tape as shop::Store>::__wasm_effect_00000000000000aa")
  (func $"shop::checkout"
    (call $"shop::__wasm_effect_0123456789abcdef")
    (call $charge)
    (call $"shop::token"))
  (func $"shop::token" (drop (call $random (i32.const 0) (i32.const 0))))
  (func $"shop::sum"
    (call $"shop::panicking")
    (call $rust_begin_unwind))
  (func $"shop::panicking" (call $rust_begin_unwind))
  (func $rust_begin_unwind
    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0))))
  (func $"shop::pick::<u8>" (call $"shop::__wasm_effect_00000000000000ff"))
  (func $"shop::pick::<u16>" (call $"shop::__wasm_effect_00000000000000ff") (call $"shop::token"))
  (func $"<shop::Disk as shop::Store>::get" (call $"shop::token"))
  (func $"<shop::Ram<u8> as shop::Store>::get")
  (func $"<shop::Tape as shop::Store>::get"
    (call $"<shop::Tape as shop::Store>::__wasm_effect_00000000000000aa")
    (call $"shop::token"))
  (export "checkout" (func $"shop::checkout"))
  (export "sum" (func $"shop::sum"))
  (export "a" (func $"shop::pick::<u8>"))
  (export "b" (func $"shop::pick::<u16>"))
  (export "c" (func $"<shop::Disk as shop::Store>::get"))
  (export "d" (func $"<shop::Ram<u8> as shop::Store>::get"))
  (export "e" (func $"<shop::Tape as shop::Store>::get"))
  (@custom "wasmrust.effects"
    "fn\090123456789abcdef\09shop::checkout\09billing,clock\09src/lib.rs:12:8\0a"
    "fn\09-\09shop::sum\09\09src/lib.rs:20:8\0a"
    "fn\0900000000000000ff\09shop::pick\09random,net\09src/lib.rs:30:8\0a"
    "fn\09-\09shop::gone\09billign\09src/lib.rs:40:8\0a"
    "fn\0900000000000000aa\09shop::get\09random\09src/tape.rs:7:8\0a"
    "trait\09-\09shop::Store::get\09\09src/store.rs:9:8\0a"
    "import\09acme:pay/charge@1.0.0\09charge\09billing\09src/pay.rs:4:8\0a"))
