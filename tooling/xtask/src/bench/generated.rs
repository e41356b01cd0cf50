//! A program in one crate of at least 10,000 lines that nobody wrote: generated programs of the conformance suite side by side, each in a
//! module of its own, most of them made of constants. The seeds are fixed, so it is the same every time.

use crate::conformance::generated_program;
use std::fmt::Write as _;

/// It has at least so many lines.
const LINES: usize = 10_000;

/// The first seed: not one of those that the conformance suite begins with.
const FIRST: u64 = 1_000_000;

/// The text of `main.rs`.
pub(super) fn source() -> String {
    let mut out = String::from("//! Many programs in one crate.\n#![allow(warnings)]\n");
    let mut lines = 0;
    let mut names = Vec::new();
    for seed in FIRST.. {
        if lines >= LINES {
            break;
        }
        // The program's own `main` becomes a function of its module.
        let program = generated_program(seed).replace("\nfn main() {", "\npub fn main() {");
        lines += program.lines().count();
        let name = format!("seed_{seed}");
        // Writing to a string does not fail.
        let _ = writeln!(out, "mod {name} {{\n{program}}}");
        names.push(name);
    }
    out.push_str("fn main() {\n");
    for name in names {
        let _ = writeln!(out, "    {name}::main();");
    }
    out.push_str("}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_long_enough_and_always_the_same() {
        let text = source();
        assert!(text.lines().count() >= LINES);
        assert_eq!(text, source());
        let modules = text.matches("\nmod seed_").count();
        assert_eq!(text.matches("\npub fn main() {").count(), modules);
        assert_eq!(text.matches("::main();").count(), modules);
    }
}
