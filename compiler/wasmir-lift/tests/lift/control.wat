;; Joins, loops, values carried by branches, code that is never reached.
(module
  (func $no_join (result i32) (block (result i32) (i32.const 1)))
  (func $join (param i32) (result i32)
    (block $b (result i32)
      (br_if $b (i32.const 1) (local.get 0))
      drop
      (i32.const 2)))
  (func $if_else (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2))))
  (func $if_only (param i32)
    (if (local.get 0) (then (call $effect))))
  (func $if_with_parameters (param i32) (result i32)
    i32.const 3
    local.get 0
    if (param i32) (result i32)
      i32.const 1
      i32.add
    end)
  (func $loop_exchanges (param i32) (result i32)
    i32.const 1
    i32.const 2
    loop $l (param i32 i32) (result i32)
      local.set 0
      local.get 0
      i32.const 0
      i32.const 7
      br_if $l
      drop
      drop
    end)
  (func $swap_in_loop (param i32) (result i32) (local i32 i32)
    i32.const 1
    i32.const 2
    loop $l (param i32 i32) (result i32 i32)
      local.set 1
      local.set 2
      local.get 1
      local.get 2
      local.get 0
      br_if $l
    end
    i32.sub)
  (func $switch (param i32) (result i32)
    (block $c (result i32)
      (block $b (result i32)
        (br_table $b $c $c 2 (i32.const 10) (local.get 0)))
      i32.const 1
      i32.add))
  (func $plain_switch (param i32) (result i32)
    (block $c (block $b (block $a (br_table $a $b $a $c (local.get 0)))
      (return (i32.const 1)))
      (return (i32.const 2)))
    i32.const 3)
  (func $dead (result i32)
    (block (result i32)
      (return (i32.const 1))
      (loop (br_table 0 0 (i32.const 1)))
      (if (i32.const 1) (then (call $effect)) (else (unreachable)))
      (i32.add (i32.const 1))))
  (func $infinite (loop (br 0)))
  (func $effect)
)
