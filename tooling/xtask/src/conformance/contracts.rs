//! Code that knows nothing of contracts, under the checker: no error and no lint where there is nothing to say.
//!
//! # How
//!
//! The packages of the suite `crates`, their unit tests and their test programs, are checked (`cargo check`). Ours sees the library `wasm` as
//! a dependency of each crate, those that a package depends on included; without it, the linear checker would leave a crate alone. The lints
//! of `wasm_recognition` are errors. A test is a target of the package; it passes if it compiles.
//!
//! Before the first package, a crate that loses a value is compiled with the same options, and has to be refused: a checker that is not
//! there would find no fault with anything.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{Answer, Case, Suite, Tier, Tools, Verdict, crates, tools::TARGET, tools::compile};
use crate::ui::{LOST, Library};

pub(super) struct Contracts;

/// Loses its argument.
const LOSES: &str = "#![crate_type = \"lib\"]\npub fn lose(_value: wasm::Handle) {}\n";

impl Suite for Contracts {
    fn name(&self) -> &'static str {
        "contracts"
    }

    fn about(&self) -> &'static str {
        "The same packages and everything they need, which use nothing of ours, checked by the linear checker and the lints: no false alarm. \
         Each library, unit test and test program of a package counts once."
    }

    fn is_own(&self) -> bool {
        true
    }

    fn cases(&self, tools: &Tools) -> Result<Vec<Case>> {
        refuses(tools)?;
        crates::cases(tools)
    }

    fn run(&self, case: &Case, tools: &Tools, tier: Tier) -> Result<Answer> {
        let table = crates::table()?;
        let package = table.get(&case.name).context("a package of the table")?;
        let mut cargo = tools.cargo(tier);
        cargo
            .current_dir(crates::Workspace::of(tools.work()).member(&case.name))
            .args(["check", "--target", TARGET])
            .args(["--message-format", "json-render-diagnostics"])
            .args(package.choice());
        if tier == Tier::Ours {
            cargo.env("CARGO_ENCODED_RUSTFLAGS", options(tools)?.join("\x1f"));
        }
        let said = match compile(&mut cargo)? {
            Ok(said) => said,
            Err(refused) => return Ok(refused),
        };
        Ok(Answer::Tests(checked(&said, &case.name)?))
    }
}

/// The targets of a package of which Cargo says that they were checked.
fn checked(said: &str, package: &str) -> Result<BTreeMap<String, Verdict>> {
    #[derive(Deserialize)]
    struct Message {
        reason: String,
        target: Option<Target>,
        profile: Option<Profile>,
        manifest_path: Option<String>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Profile {
        test: bool,
    }

    let mut targets = BTreeMap::new();
    let manifest = format!("/{package}/Cargo.toml");
    for line in said.lines() {
        let message: Message = serde_json::from_str(line)
            .with_context(|| format!("Cargo says what is no message: {line}"))?;
        let own = message
            .manifest_path
            .is_some_and(|path| path.replace('\\', "/").ends_with(&manifest));
        if let (true, "compiler-artifact", Some(target), Some(profile)) = (
            own,
            message.reason.as_str(),
            message.target,
            message.profile,
        ) {
            let kind = if profile.test {
                "test"
            } else {
                target.kind[0].as_str()
            };
            targets.insert(format!("{kind} {}", target.name), Verdict::Passed);
        }
    }
    ensure!(!targets.is_empty(), "nothing of `{package}` was checked");
    Ok(targets)
}

/// What makes rustc check a crate that does not name the library.
fn options(tools: &Tools) -> Result<Vec<String>> {
    let target = tools.work().join("target").join("contracts");
    let library = Library::build(&mut tools.cargo(Tier::Ours), &target)?;
    let mut options = library.arguments("force:");
    options.push("-Zunstable-options".to_owned());
    // Cargo does not see the library behind the options, and what was checked with another one cannot be used with this.
    options.push(format!("-Cmetadata={:016x}", library.digest()?));
    options.push("-Dwasm_recognition".to_owned());
    Ok(options)
}

/// Makes sure that the checker is there.
fn refuses(tools: &Tools) -> Result<()> {
    let folder = tools.work().join("contracts");
    fs::create_dir_all(&folder)?;
    let source = folder.join("loses.rs");
    fs::write(&source, LOSES)?;
    let output = tools
        .rustc(Tier::Ours)
        .args(options(tools)?)
        .arg("--emit=metadata")
        .arg("--out-dir")
        .arg(&folder)
        .arg(&source)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !output.status.success() && said.contains(LOST),
        "a crate that loses a linear value is not refused:\n{said}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_what_was_checked_of_the_package_itself() {
        let message = |reason: &str, path: &str, kind: &str, name: &str, test: bool| {
            serde_json::json!({
                "reason": reason, "manifest_path": path, "profile": { "test": test },
                "target": { "name": name, "kind": [kind] },
            })
            .to_string()
        };
        let said = [
            message(
                "compiler-artifact",
                "/w/slab/Cargo.toml",
                "lib",
                "slab",
                false,
            ),
            message(
                "compiler-artifact",
                "/w/slab/Cargo.toml",
                "lib",
                "slab",
                true,
            ),
            message(
                "compiler-artifact",
                "/w/slab/Cargo.toml",
                "test",
                "serde",
                true,
            ),
            message(
                "compiler-artifact",
                "/w/serde/Cargo.toml",
                "lib",
                "serde",
                false,
            ),
            message(
                "compiler-message",
                "/w/slab/Cargo.toml",
                "test",
                "slow",
                true,
            ),
            "{\"reason\":\"build-finished\",\"success\":true}".to_owned(),
        ];
        let names: Vec<String> = checked(&said.join("\n"), "slab")
            .unwrap()
            .into_keys()
            .collect();
        assert_eq!(names, ["lib slab", "test serde", "test slab"]);
        assert!(checked(&said[3], "slab").is_err());
    }
}
