;; A component that is a command, and fails.
(component
  (core module $Core (func (export "run") (result i32) (i32.const 1)))
  (core instance $core (instantiate $Core))
  (func $run (result (result)) (canon lift (core func $core "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.3" (instance $cli)))
