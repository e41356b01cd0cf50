;; What only the host knows: an imported table, references that come in, imports without a rule.
(module
  (type $void (func))
  (import "env" "table" (table 1 funcref))
  (import "env" "print" (func $print))
  (func (export "by_table") (call_indirect (type $void) (i32.const 0)))
  (func (export "by_reference") (param (ref $void)) (call_ref $void (local.get 0)))
  (func (export "by_import") (call $print))
  (func $start (call $print))
  (start $start)
)
