;; Opens `note.txt` in the first folder it was given (descriptor 3), for reading, or creates `new.txt` when it has an argument.
;; Prints the file, or exits with WASI's error number.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "note.txt")
  (data (i32.const 200) "new.txt")
  (func $check (param $errno i32) (if (local.get $errno) (then (call $exit (local.get $errno)))))
  (func (export "_start")
    (call $check (call $args_sizes (i32.const 0) (i32.const 4)))
    (if (i32.gt_u (i32.load (i32.const 0)) (i32.const 1))
      (then
        ;; create | exclusive, with the right to write
        (call $check (call $open (i32.const 3) (i32.const 0) (i32.const 200) (i32.const 7) (i32.const 5) (i64.const 64) (i64.const 64)
          (i32.const 0) (i32.const 8)))
        (call $exit (i32.const 0))))
    (call $check (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 8) (i32.const 0) (i64.const 2) (i64.const 2)
      (i32.const 0) (i32.const 8)))
    (i32.store (i32.const 16) (i32.const 1024))
    (i32.store (i32.const 20) (i32.const 4096))
    (call $check (call $read (i32.load (i32.const 8)) (i32.const 16) (i32.const 1) (i32.const 24)))
    (i32.store (i32.const 20) (i32.load (i32.const 24)))
    (call $check (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))))
