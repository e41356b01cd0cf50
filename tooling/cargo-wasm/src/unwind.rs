//! Programs whose panics unwind.
//!
//! rustc lets a panic end the program on WebAssembly's targets unless it is told `-Cpanic=unwind`, and Cargo tells it nothing: for Cargo
//! unwinding is what happens anyway. So we choose:
//!
//! | asked for by | holds for |
//! |---|---|
//! | `--panic` | every command that has it |
//! | `panic` in `[package.metadata.wasm]` | what rustc-wasm makes |
//! | nobody | tests that rustc-wasm makes: panics unwind, as Cargo's tests expect; else they end the program |
//!
//! Only rustc-wasm's programs can be made so: LLVM's use exceptions as they were before they became the standard.
//!
//! # How
//!
//! The flag goes where it adds to the user's own flags instead of taking their place. Cargo takes flags from one place only: the
//! environment, else `target.*` of the configuration, else `build` of it.

use crate::cli::{Frontend, Panic};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_toolchain::{Environment, Target};

/// What rustc is told.
const FLAG: &str = "-Cpanic=unwind";

/// What a command asks for.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// `--panic`.
    pub(crate) asked: Option<Panic>,
    /// What the packages' settings say.
    pub(crate) settings: Vec<Option<Panic>>,
    /// Whether tests are made.
    pub(crate) test: bool,
}

/// Whether panics unwind in what `frontend` makes.
pub(crate) fn select(wishes: &Wishes, frontend: Frontend) -> Result<bool> {
    match (wishes.asked, frontend) {
        (Some(Panic::Abort), _) => Ok(false),
        (Some(Panic::Unwind), Frontend::RustcWasm) => Ok(true),
        (Some(Panic::Unwind), Frontend::Stock) => Err(Error::user(
            "the stock compiler's programs cannot unwind in the engines there are",
        )
        .hint("let rustc-wasm make the program: `cargo wasm setup --rustc-wasm`, then `--frontend rustc-wasm`")
        .into()),
        (None, Frontend::Stock) => Ok(false),
        (None, Frontend::RustcWasm) => {
            let mut said = wishes.settings.iter().flatten().peekable();
            match said.peek() {
                Some(_) => Ok(said.any(|panic| *panic == Panic::Unwind)),
                None => Ok(wishes.test),
            }
        }
    }
}

/// Has the Cargo command compile so that panics unwind.
pub(crate) fn tell(env: &Environment, command: &mut Command) {
    let folder = std::env::current_dir().unwrap_or_default();
    let files = config_files(env, &folder);
    for kind in ["rustflags", "rustdocflags"] {
        match place(env, &files, kind) {
            Place::Variable { name, value } => {
                command.env(name, value);
            }
            Place::Config(keys) => {
                for key in keys {
                    command.args(["--config", &format!("{key}=[\"{FLAG}\"]")]);
                }
            }
        }
    }
}

/// Where a flag adds to what the user gives.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Variable { name: String, value: String },
    Config(Vec<String>),
}

fn place(env: &Environment, files: &[PathBuf], kind: &str) -> Place {
    let name = kind.to_uppercase();
    let encoded = format!("CARGO_ENCODED_{name}");
    let text = |name: &str| {
        env.var(name)
            .map(|value| value.to_string_lossy().into_owned())
    };
    if let Some(value) = text(&encoded) {
        let separator = if value.is_empty() { "" } else { "\u{1f}" };
        let value = format!("{value}{separator}{FLAG}");
        return Place::Variable {
            name: encoded,
            value,
        };
    }
    if let Some(value) = text(&name) {
        let value = format!("{value} {FLAG}");
        return Place::Variable { name, value };
    }
    let triples = Target::ALL.map(Target::triple);
    let variable = |triple: &&str| {
        let triple = triple.to_uppercase().replace('-', "_");
        env.var(&format!("CARGO_TARGET_{triple}_{name}")).is_some()
    };
    let by_target =
        triples.iter().any(variable) || files.iter().any(|file| says(file, kind, &triples));
    Place::Config(match by_target {
        true => triples
            .iter()
            .map(|t| format!("target.{t}.{kind}"))
            .collect(),
        false => vec![format!("build.{kind}")],
    })
}

/// Cargo's configuration files, as Cargo looks for them.
fn config_files(env: &Environment, folder: &Path) -> Vec<PathBuf> {
    let folders = folder.ancestors().map(|folder| folder.join(".cargo"));
    let home = env.cargo_home();
    let names = |folder: PathBuf| ["config.toml", "config"].map(|name| folder.join(name));
    folders.chain(home).flat_map(names).collect()
}

/// Whether a configuration file has flags of this kind for one of the targets. What cannot be read is Cargo's to complain about.
fn says(file: &Path, kind: &str, triples: &[&str]) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let config: toml::Table = toml::from_str(&text).unwrap_or_default();
    let targets = config.get("target").and_then(toml::Value::as_table);
    targets.into_iter().flatten().any(|(name, settings)| {
        // A condition may hold for the target; that ours then hides `build.rustflags` is what Cargo does with the user's own.
        (triples.contains(&name.as_str()) || name.starts_with("cfg("))
            && settings.get(kind).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_unwind_where_rustc_wasm_makes_them_and_settings_decide() {
        let wishes = |asked, setting, test| Wishes {
            asked,
            settings: vec![setting],
            test,
        };
        let unwinds = |wishes: Wishes, frontend| select(&wishes, frontend).ok();
        for (asked, setting, test, ours, stock) in [
            (None, None, false, Some(false), Some(false)),
            (None, None, true, Some(true), Some(false)),
            (None, Some(Panic::Abort), true, Some(false), Some(false)),
            (None, Some(Panic::Unwind), false, Some(true), Some(false)),
            (
                Some(Panic::Abort),
                Some(Panic::Unwind),
                true,
                Some(false),
                Some(false),
            ),
            (Some(Panic::Unwind), None, false, Some(true), None),
        ] {
            assert_eq!(
                unwinds(wishes(asked, setting, test), Frontend::RustcWasm),
                ours
            );
            assert_eq!(
                unwinds(wishes(asked, setting, test), Frontend::Stock),
                stock
            );
        }
    }

    #[test]
    fn the_flag_goes_where_the_users_own_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let env = |pairs: &[(&str, &str)]| Environment::of(pairs.iter().copied());
        let config = |keys: &[&str]| Place::Config(keys.iter().map(|k| (*k).to_owned()).collect());
        let variable = |name: &str, value: &str| Place::Variable {
            name: name.into(),
            value: value.into(),
        };
        let files = [file.clone()];
        assert_eq!(
            place(&env(&[]), &files, "rustflags"),
            config(&["build.rustflags"])
        );
        std::fs::write(
            &file,
            "[build]\nrustflags = [\"-g\"]\n[target.x86_64-unknown-linux-gnu]\nrustflags = []",
        )
        .unwrap();
        assert_eq!(
            place(&env(&[]), &files, "rustflags"),
            config(&["build.rustflags"])
        );
        std::fs::write(&file, "[target.wasm32-wasip1]\nrustflags = [\"-g\"]").unwrap();
        let both = [
            "target.wasm32-unknown-unknown.rustflags",
            "target.wasm32-wasip1.rustflags",
        ];
        assert_eq!(place(&env(&[]), &files, "rustflags"), config(&both));
        assert_eq!(
            place(&env(&[]), &files, "rustdocflags"),
            config(&["build.rustdocflags"])
        );
        assert_eq!(
            place(&env(&[("RUSTFLAGS", "-g")]), &files, "rustflags"),
            variable("RUSTFLAGS", "-g -Cpanic=unwind")
        );
        assert_eq!(
            place(
                &env(&[("CARGO_ENCODED_RUSTFLAGS", "-g")]),
                &files,
                "rustflags"
            ),
            variable("CARGO_ENCODED_RUSTFLAGS", "-g\u{1f}-Cpanic=unwind")
        );
    }
}
