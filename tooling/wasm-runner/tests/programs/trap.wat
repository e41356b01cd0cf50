;; Traps two calls deep: one way without arguments, another with one, a third with two.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func $_ZN3app6middle17h0123456789abcdefE (param $how i32)
    (block $2 (block $1 (block $0 (br_table $0 $1 $2 (local.get $how)))
      unreachable)
      (drop (call $divide (i32.const 0))) return)
    (drop (i32.load (i32.const -4))))
  (func (export "_start")
    (drop (call $args_sizes (i32.const 0) (i32.const 4)))
    (call $_ZN3app6middle17h0123456789abcdefE (i32.sub (i32.load (i32.const 0)) (i32.const 1)))))
