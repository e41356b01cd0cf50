;; A component for another world.
(component
  (import "wasi:http/outgoing-handler@0.2.0" (instance (export "handle" (func))))
  (import "wasi:cli/stdout@0.3.0" (instance (export "write" (func))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64)))))
  (import "shop:cart/store@2.0.0" (instance (export "items" (func (result u32)))))
  (import "only:types/here" (instance (type $t u32) (export "t" (type (eq $t))))))
