//! Great functions get the code that small ones get: the size of the output grows as that of the input does.

use codegen_cranelift::{Options, emit_module};
use std::fmt::Write as _;

/// A loop around `n` conditional assignments of one variable, as WebAssembly.
fn choices_in_a_loop(n: usize) -> Vec<u8> {
    let mut text = String::from(
        "wasmir 1\ntype type0 = func(i32) -> (i32)\nfunc %f type0 {\n  param l0: i32\n  local l1, l2, l3, l4: i32\n\
         b0:\n  l1 = copy l0\n  jump b1\nb1:\n",
    );
    for i in 0..n {
        let (bit, k, then, join) = (1 << (i % 30), i % 50 + 3, 2 * i + 2, 2 * i + 3);
        // Too much to become a `select`.
        write!(
            text,
            "  l2 = i32.const {bit}\n  l3 = i32.and l1, l2\n  br_if l3, b{then}, b{join}\n\
             b{then}:\n  l4 = i32.const {k}\n  l1 = i32.mul l1, l4\n  l1 = i32.sub l1, l4\n\
             \x20 l1 = i32.xor l1, l0\n  l1 = i32.rotl l1, l4\n  jump b{join}\nb{join}:\n"
        )
        .expect("writing to a string");
    }
    let end = 2 * n + 2;
    write!(
        text,
        "  br_if l1, b1, b{end}\nb{end}:\n  return l1\n}}\nexport \"f\" func %f\n"
    )
    .expect("writing to a string");
    let module = wasmir::parse_module(&text).expect("the text is a module");
    emit_module(&module, &Options::default()).expect("it can be emitted")
}

#[test]
fn a_variable_of_a_great_loop_keeps_its_local() {
    let (half, whole) = (choices_in_a_loop(4000), choices_in_a_loop(8000));
    wasmparser::validate(&whole).expect("valid");
    assert!(
        whole.len() < 2 * half.len() + 100,
        "{} bytes for twice what takes {}",
        whole.len(),
        half.len()
    );
}
