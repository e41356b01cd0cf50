//! Functions of extreme shapes, of any size: what makes a compiler's time quadratic or its stack overflow.
//!
//! Every shape is a module with a function `run: (i32) -> (i32)` and comes with the answers it must give, computed here
//! without the module.

use std::fmt::Write as _;

use crate::generate::Stream;

/// A shape of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One instruction after the other, each with the last one's result.
    Straight,
    /// A switch with as many cases, each a block of its own.
    Switch,
    /// Blocks within blocks, each left by a branch of its own.
    Nest,
    /// Loops within loops.
    Loops,
    /// One `if` after the other, so that as many values meet as often.
    Diamonds,
    /// Blocks that branch to others anywhere: irreducible throughout.
    Web,
}

impl Shape {
    /// A size at which growth shows.
    pub fn great(self) -> usize {
        match self {
            Shape::Straight => 10_000,
            // Each has three blocks.
            Shape::Loops => 1_000,
            _ => 2_500,
        }
    }

    /// All shapes.
    pub const ALL: [Shape; 6] = [
        Shape::Straight,
        Shape::Switch,
        Shape::Nest,
        Shape::Loops,
        Shape::Diamonds,
        Shape::Web,
    ];

    /// The function of size `n` as WasmIR.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the generator's own text.
    pub fn module(self, n: usize) -> Result<wasmir::Module, String> {
        let module = wasmir::parse_module(&self.text(n)).map_err(|error| error.to_string())?;
        match wasmir::verify_module(&module) {
            Ok(()) => Ok(module),
            Err(errors) => Err(errors[0].to_string()),
        }
    }

    /// What `run(x)` answers.
    pub fn answer(self, n: usize, x: u32) -> u32 {
        let n = n as u32;
        match self {
            Shape::Straight => (0..n).fold(x, step),
            Shape::Switch => step(x, x.min(n)),
            Shape::Nest => (0..=x.min(n)).rev().fold(x, step),
            Shape::Loops => {
                let (mut passed, mut i) = (0, 0);
                while i < n {
                    passed += 1;
                    let back = passed < 2 * i + 1 && x & 1 != 0;
                    i = if back { 0 } else { i + 1 };
                }
                passed
            }
            Shape::Diamonds => (0..n).fold(x, |a, i| if a & 1 != 0 { step(a, i) } else { a ^ i }),
            Shape::Web => {
                let (mut at, mut a) = (0, x);
                for _ in 0..WEB_STEPS {
                    a = step(a, at);
                    let (left, right) = web(n, at);
                    at = if a & 4 != 0 { left } else { right };
                }
                a
            }
        }
    }

    fn text(self, n: usize) -> String {
        let mut t = String::from(
            "wasmir 1\ntype type0 = func(i32) -> (i32)\nfunc %run type0 {\n  param l0: i32\n  \
             local l1, l2, l3, l4, l5: i32\nb0:\n",
        );
        let out = &mut t;
        // Block 0 is the entry, block 1 returns `l1`, the shape's own begin at 2.
        let _ = match self {
            Shape::Straight => {
                out.push_str("  l1 = copy l0\n");
                (0..n).for_each(|i| write_step(out, i));
                writeln!(out, "  jump b1")
            }
            Shape::Switch => {
                let targets: Vec<String> = (0..n).map(|i| format!("b{}", i + 2)).collect();
                let _ = writeln!(out, "  l1 = copy l0");
                let _ = writeln!(out, "  br_table l0, [{}], b{}", targets.join(", "), n + 2);
                for i in 0..=n {
                    let _ = writeln!(out, "b{}:", i + 2);
                    write_step(out, i);
                    let _ = writeln!(out, "  jump b1");
                }
                Ok(())
            }
            Shape::Nest => {
                // Each level may leave for an exit of its own; the exits follow one another, the innermost first.
                let _ = writeln!(out, "  l1 = copy l0\n  jump b2");
                for i in 0..n {
                    let _ = writeln!(
                        out,
                        "b{}:\n  l2 = i32.const {i}\n  l2 = i32.eq l0, l2",
                        i + 2
                    );
                    let _ = writeln!(out, "  br_if l2, b{}, b{}", 2 * n + 2 - i, i + 3);
                }
                for i in (0..=n).rev() {
                    let _ = writeln!(out, "b{}:", 2 * n + 2 - i);
                    write_step(out, i);
                    let next = if i == 0 { 1 } else { 2 * n + 3 - i };
                    let _ = writeln!(out, "  jump b{next}");
                }
                Ok(())
            }
            Shape::Loops => {
                // The headers first, the outermost first; then the ends, the innermost first. Each end goes back once in
                // all, if the parameter is not zero: `l4` counts the ends passed so far.
                let _ = writeln!(
                    out,
                    "  l1 = i32.const 0\n  l3 = i32.const 1\n  l4 = i32.const 0\n  jump b2"
                );
                for i in 0..n {
                    let _ = writeln!(out, "b{}:\n  l5 = i32.add l1, l3\n  jump b{}", i + 2, i + 3);
                }
                for i in 0..n {
                    let (at, header) = (n + 2 + 2 * i, n + 1 - i);
                    let _ = writeln!(
                        out,
                        "b{at}:\n  l1 = i32.add l1, l3\n  l2 = i32.const {}",
                        2 * i + 1
                    );
                    let _ = writeln!(out, "  l2 = i32.lt_u l1, l2\n  l2 = i32.and l2, l0");
                    let _ = writeln!(out, "  br_if l2, b{header}, b{}", at + 1);
                    let _ = writeln!(out, "b{}:\n  jump b{}", at + 1, at + 2);
                }
                writeln!(out, "b{}:\n  jump b1", 3 * n + 2)
            }
            Shape::Diamonds => {
                let _ = writeln!(out, "  l1 = copy l0\n  l3 = i32.const 1\n  jump b2");
                for i in 0..n {
                    let at = 3 * i + 2;
                    let _ = writeln!(out, "b{at}:\n  l2 = i32.and l1, l3");
                    let _ = writeln!(out, "  br_if l2, b{}, b{}\nb{}:", at + 1, at + 2, at + 1);
                    write_step(out, i);
                    let _ = writeln!(
                        out,
                        "  jump b{}\nb{}:\n  l4 = i32.const {i}",
                        at + 3,
                        at + 2
                    );
                    let _ = writeln!(out, "  l1 = i32.xor l1, l4\n  jump b{}", at + 3);
                }
                writeln!(out, "b{}:\n  jump b1", 3 * n + 2)
            }
            Shape::Web => {
                let _ = writeln!(
                    out,
                    "  l1 = copy l0\n  l3 = i32.const {WEB_STEPS}\n  jump b2"
                );
                for i in 0..n {
                    let (left, right) = web(n as u32, i as u32);
                    let _ = writeln!(out, "b{}:", 2 * i + 2);
                    write_step(out, i);
                    let _ = writeln!(out, "  l4 = i32.const 1\n  l3 = i32.sub l3, l4");
                    let _ = writeln!(out, "  br_if l3, b{}, b1\nb{}:", 2 * i + 3, 2 * i + 3);
                    let _ = writeln!(out, "  l4 = i32.const 4\n  l4 = i32.and l1, l4");
                    let _ = writeln!(out, "  br_if l4, b{}, b{}", 2 * left + 2, 2 * right + 2);
                }
                Ok(())
            }
        };
        out.push_str("b1:\n  return l1\n}\nexport \"run\" func %run\n");
        t
    }
}

/// Blocks that a run through a web passes.
const WEB_STEPS: u32 = 10_000;

/// `l1 = (l1 ^ i) * 31 + i`
fn write_step(out: &mut String, i: usize) {
    let _ = writeln!(
        out,
        "  l2 = i32.const {i}\n  l1 = i32.xor l1, l2\n  l5 = i32.const 31\n  l1 = i32.mul l1, l5\n  l1 = i32.add l1, l2"
    );
}

fn step(a: u32, i: u32) -> u32 {
    (a ^ i).wrapping_mul(31).wrapping_add(i)
}

/// Where block `at` of a web of `n` branches to.
fn web(n: u32, at: u32) -> (u32, u32) {
    let bits = Stream::new(u64::from(at)).next_u64();
    let pick = |bits: u32| ((u64::from(bits) * u64::from(n)) >> 32) as u32;
    (pick(bits as u32), pick((bits >> 32) as u32))
}
