;; Recursion without an end.
(module (func $deeper (export "_start") (call $deeper)))
