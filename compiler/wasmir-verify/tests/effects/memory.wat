;; Atomics and growth, straight and through calls.
(module
  (memory 1 2 shared)
  (func (export "load") (result i32) (i32.atomic.load (i32.const 0)))
  (func (export "store") (i32.atomic.store (i32.const 0) (i32.const 1)))
  (func (export "rmw") (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))
  (func (export "fence") (atomic.fence))
  (func (export "wait") (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0))))
  (func (export "grow") (drop (memory.grow (i32.const 1))))
  (func (export "plain") (i32.store (i32.const 0) (i32.load (i32.const 4))))
)
