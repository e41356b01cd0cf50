;; Imports of other hosts.
(module
  (import "env" "puts" (func (param i32) (result i32)))
  (import "__wbindgen_placeholder__" "__wbindgen_throw" (func (param i32 i32)))
  (import "wasi_unstable" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func (result i32)))
  (import "own" "thing" (func))
  (func (export "_start")))
