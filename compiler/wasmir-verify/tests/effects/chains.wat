;; Shortest chains, cycles, an import that nobody calls, a pure export.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (func $write (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0))))
  (func $mid (call $write))
  (func $long1 (call $long2))
  (func $long2 (call $mid))
  (func (export "shortest") (call $long1) (call $mid))
  (func $even (call $odd))
  (func $odd (call $even) (drop (call $now (i32.const 0) (i64.const 0) (i32.const 0))))
  (func (export "cycle") (call $even))
  (func $other_cycle (call $other_cycle))
  (func (export "pure_cycle") (call $other_cycle))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
)
