;; `local.get` pushes the variable itself; what a later assignment would change is saved first.
(module
  (func $swap (param i32 i32) (result i32 i32)
    local.get 0
    local.get 1
    local.set 0
    local.set 1
    local.get 0
    local.get 1)
  (func $old_value (param i32) (result i32)
    local.get 0
    local.get 0
    i32.const 1
    i32.add
    local.set 0
    local.get 0
    i32.mul)
  (func $several (param i32) (result i32)
    local.get 0
    local.get 0
    local.get 0
    i32.const 9
    local.tee 0
    i32.add
    i32.add
    i32.add)
  (func $assigned_on_one_path (param i32 i32) (result i32)
    local.get 0
    block
      local.get 1
      br_if 0
      i32.const 5
      local.set 0
    end)
  (func $self (param i32)
    local.get 0
    local.set 0)
)
