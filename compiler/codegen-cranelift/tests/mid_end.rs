//! Which functions go through Cranelift's mid-end.

use codegen_cranelift::env::Standalone;
use codegen_cranelift::{Emitter, MidEnd};
use cranelift_reader::parse_functions;

/// In each function `v2` is nothing that the mid-end leaves. `inner` has a loop without calls inside of one with calls, and
/// `outer` the other way round. `MORE` stands for instructions.
const FUNCTIONS: &str = "
function %straight(i32) -> i32 tail {
block0(v0: i32):
    v1 = iconst.i32 0
    v2 = iadd v0, v1
MORE
    return v2
}

function %counting(i32) -> i32 tail {
block0(v0: i32):
    v1 = iconst.i32 0
    v2 = iadd v0, v1
MORE
    jump block1(v2)
block1(v3: i32):
    v4 = iconst.i32 -1
    v5 = iadd v3, v4
    brif v5, block1(v5), block2
block2:
    return v5
}

function %calling(i32) -> i32 tail {
    fn0 = u0:0() tail
block0(v0: i32):
    v1 = iconst.i32 0
    v2 = iadd v0, v1
MORE
    jump block1(v2)
block1(v3: i32):
    call fn0()
    v4 = iconst.i32 -1
    v5 = iadd v3, v4
    brif v5, block1(v5), block2
block2:
    return v5
}

function %inner(i32) -> i32 tail {
    fn0 = u0:0() tail
block0(v0: i32):
    v1 = iconst.i32 0
    v2 = iadd v0, v1
MORE
    jump block1(v2)
block1(v3: i32):
    call fn0()
    jump block2(v3)
block2(v4: i32):
    v5 = iconst.i32 -1
    v6 = iadd v4, v5
    brif v6, block2(v6), block3
block3:
    v7 = iadd v3, v5
    brif v7, block1(v7), block4
block4:
    return v7
}

function %outer(i32) -> i32 tail {
    fn0 = u0:0() tail
block0(v0: i32):
    v1 = iconst.i32 0
    v2 = iadd v0, v1
MORE
    jump block1(v2)
block1(v3: i32):
    jump block2(v3)
block2(v4: i32):
    call fn0()
    v5 = iconst.i32 -1
    v6 = iadd v4, v5
    brif v6, block2(v6), block3
block3:
    v7 = iadd v3, v5
    brif v7, block1(v7), block4
block4:
    return v7
}
";

#[test]
fn loops_are_worth_it_if_they_call_nothing_or_are_in_small_functions() {
    let through = |mid_end, more: u32| -> Vec<String> {
        let more: String = (0..more)
            .map(|i| format!("    v{} = imul v0, v0\n", i + 100))
            .collect();
        let text = FUNCTIONS.replace("MORE", &more);
        let functions = parse_functions(&text).expect("the text is CLIF");
        let mut emitter = Emitter::new();
        emitter.mid_end = mid_end;
        let env = Standalone {
            types: vec![(Vec::new(), Vec::new())],
            ..Standalone::default()
        };
        let optimised = functions.iter().filter(|func| {
            let emitted = emitter.emit((*func).clone(), &env);
            emitted.expect("the function can be emitted");
            !emitter.clif().contains("v2 = iadd")
        });
        optimised.map(|func| func.name.to_string()).collect()
    };
    let all = ["%straight", "%counting", "%calling", "%inner", "%outer"];
    for more in [0, 1000] {
        assert_eq!(through(MidEnd::Off, more), [""; 0]);
        assert_eq!(through(MidEnd::All, more), all);
    }
    assert_eq!(through(MidEnd::Loops, 0), all[1..]);
    assert_eq!(through(MidEnd::Loops, 1000), ["%counting", "%inner"]);
}
