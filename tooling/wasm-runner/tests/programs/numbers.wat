;; A core library: numbers in, numbers out.
(module
  (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "divide") (param f64 f64) (result f64) (f64.div (local.get 0) (local.get 1)))
  (func (export "swap") (param i64 f32) (result f32 i64) (local.get 1) (local.get 0))
  (func (export "lanes") (param v128) (result v128) (local.get 0))
  (func (export "refer") (param externref))
  (func (export "quotient") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "referred") (result funcref) (ref.null func)))
