;; Traps in its start function, before any export can be called.
(module (func $begin unreachable) (start $begin) (func (export "f")))
