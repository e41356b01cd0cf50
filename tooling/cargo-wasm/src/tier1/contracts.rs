//! Declared effects against what the code does.
//!
//! Declarations come with the module, in the section `wasmrust.effects`. A function that does more than it declares is an
//! error of the user's program, at the place of the declaration; declaring too much is a warning.

use crate::error::{Error, Result};
use crate::report;
use std::path::Path;
use wasmir::Module;
use wasmir_verify::{Finding, Options, check as compare, declare, infer};

/// Checks the declarations of a module, if it has any, and adds what imports declare to `options`.
pub(crate) fn check(module: &mut Module, options: &mut Options, file: &Path) -> Result<()> {
    let declared = declare(module, options).map_err(|error| {
        Error::user(format!(
            "the declared effects of `{}` cannot be read",
            report::relative(file)
        ))
        .because(&error)
        .hint("the crates `wasm` of all dependencies should be of one version; build anew after `cargo clean`")
    })?;
    if declared.places.is_empty() && declared.unknown.is_empty() {
        return Ok(());
    }
    let inferred = infer(module, options)
        .map_err(|e| Error::ours("the effects cannot be inferred").because(&e))?;
    let findings = compare(module, &inferred, &declared.places);
    let (errors, warnings): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| finding.is_error());
    // A bound for many is wider than what one of them needs.
    let is_own = |finding: &&Finding| !matches!(finding, Finding::Unneeded { func, .. } if declared.bounded.contains(func));
    for warning in warnings.into_iter().filter(is_own) {
        report::warning(&indented(warning));
    }
    let mut texts: Vec<String> = declared.unknown.iter().map(indented).collect();
    texts.extend(errors.into_iter().map(indented));
    for text in &texts {
        report::diagnostic(text);
    }
    match texts.len() {
        0 => Ok(()),
        1 => Err(broken(file, "one declaration of effects does")),
        n => Err(broken(file, &format!("{n} declarations of effects do"))),
    }
}

fn broken(file: &Path, what: &str) -> crate::error::Failure {
    Error::user(format!("{what} not hold in `{}`", report::relative(file))).into()
}

/// Notes and hints in rustc's manner, below the first line.
fn indented(text: impl ToString) -> String {
    let text = text.to_string();
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        out.push('\n');
        if let Some(rest) = line.strip_prefix("note: ") {
            out.push_str("  = note: ");
            out.push_str(rest);
        } else if let Some(rest) = line.strip_prefix("help: ") {
            out.push_str("  = help: ");
            out.push_str(rest);
        } else {
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_below_the_first_are_indented() {
        let text = "a is wrong\n  --> src/lib.rs:1:2\nnote: b\nhelp: c";
        assert_eq!(
            super::indented(text),
            "a is wrong\n  --> src/lib.rs:1:2\n  = note: b\n  = help: c"
        );
    }
}
